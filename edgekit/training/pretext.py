"""Pre-training without labels: a backbone learns that two views of a picture are the same picture.

Owns what differs from a training with labels: the views, the projection behind the backbone, the
pairs it is judged by. What is minimized is `objectives.contrastive`'s; epochs, resuming and the run
folder are those of every training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from edgekit.errors import ModelError
from edgekit.fields import Fields, laid_over
from edgekit.models import ModelSource
from edgekit.spec import InputSpec, Scalar
from edgekit.training.augment import Augmenter, augmenter_for
from edgekit.training.augment.base import streams
from edgekit.training.recipe import Recipe, for_dataset, read_recipe
from edgekit.training.transfer import split_at

if TYPE_CHECKING:
    import keras
    import numpy as np

    Array = np.ndarray[Any, Any]

METHODS = ("simclr", "moco")
METRIC = "rank1"  # the most alike of all other views is the same picture's

# Crops and colours matter most (SimCLR, section 3). Mirrored and turned pictures are for model.toml
# to allow: a mirrored letter is none.
_VIEWS = {
    "crop": 0.3,
    "aspect": 1.33,
    "brightness": 0.4,
    "contrast": 0.4,
    "saturation": 0.4,
}
_OWN = ("temperature", "vector", "queue", "momentum")
_CHUNK = 64
_SEED = 0


@dataclass(frozen=True, slots=True)
class Pretext:
    """How a backbone is trained without labels.

    Attributes:
        method: "simclr" (Chen et al. 2020, arXiv 2002.05709): other pictures of the batch are what
            a view is told from; "moco" (He et al. 2020, arXiv 1911.05722): those of a queue.
        temperature: What likenesses (−1…1) are divided by.
        vector: Numbers that the projection gives.
        queue: Of MoCo: views of earlier batches that are kept; see `fitted`.
        momentum: Of MoCo: how slowly the encoder of the queue follows, per step.
    """

    method: str
    temperature: float = 0.2
    vector: int = 128
    queue: int = 4096
    momentum: float = 0.99

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def fitted(self, pictures: int) -> Pretext:
        """The same with a queue that holds no more than a quarter of an epoch's views.

        In a longer one there are older views of the very picture that is asked about, and it would
        be taught to be like none of them.
        """
        return replace(self, queue=min(self.queue, max(1, pictures // 2)))


def read_pretext(
    method: str,
    table: Mapping[str, Any],
    parameters: Mapping[str, Scalar],
    where: str,
    *,
    dataset: str = "",
) -> tuple[Pretext, Recipe]:
    """What a `[train]` table means for a training without labels.

    Its table `pretrain` is laid over it, and holds the method's own settings; its `augment` is laid
    over edgekit's views, not over the augmentation of trainings with labels.

    Args:
        method: One of `METHODS`.
        table: As parsed from TOML.
        parameters: The model's own.
        where: File and table, for complaints.
        dataset: Name of the data set to train on.

    Raises:
        ModelError: A key is unknown, of the wrong type or out of bounds.
    """
    general = for_dataset(table, dataset, where)
    special = Fields(general, where, ModelError).mapping("pretrain", {})
    fields = Fields({key: special[key] for key in _OWN if key in special}, where, ModelError)
    usual = Pretext(method)
    pretext = Pretext(
        method,
        temperature=fields.number("temperature", usual.temperature, low=0.01, high=10.0),
        vector=fields.integer("vector", usual.vector, low=2, high=4096),
        queue=fields.integer("queue", usual.queue, low=16, high=1_000_000),
        momentum=fields.number("momentum", usual.momentum, high=0.99999),
    )
    rest = {key: value for key, value in special.items() if key not in _OWN}
    if "stages" in rest or "epochs" in rest:
        general = {k: v for k, v in general.items() if k not in ("stages", "epochs")}
    recipe = read_recipe(
        laid_over({**general, "augment": _VIEWS, "freeze_epochs": 0}, rest),
        parameters,
        where,
        # Whatever the model's labels are: here nothing but the picture is changed.
        task="image-classification",
    )
    augment = recipe.augment
    if getattr(augment, "mixup", 0) or getattr(augment, "cutmix", 0):
        raise ModelError(f"{where}.pretrain.augment: a mixture of two pictures is a view of none")
    if recipe.augment is None:
        raise ModelError(f"{where}.pretrain.augment: two views that are alike teach nothing")
    return pretext, recipe


def refuse_unfit(source: ModelSource) -> None:
    """Only models of one picture, whose backbone is named, can be trained without labels.

    Raises:
        ModelError: This one cannot.
    """
    assert source.spec is not None
    inputs = source.spec.inputs
    if len(inputs) != 1 or inputs[0].layout != "HWC":
        raise ModelError(
            f"{source.name}: pre-training is for models whose one input is a picture (HWC)"
        )
    if not source.spec.features:
        raise ModelError(
            f"{source.name}: its model.toml does not say where the backbone ends, which is what "
            "pre-training trains",
            hint='the layer that the head reads: [transfer] features = "pool"',
        )


def projected(model: keras.Model, source: ModelSource, pretext: Pretext) -> keras.Model:
    """`model`'s backbone with a projection behind it, as one model that shares its layers.

    The projection is SimCLR's and MoCo v2's: one hidden layer as wide as the features, ReLU, then
    `vector` numbers. Maps are averaged over their places first.

    Returns:
        Pictures → float32 [B, vector], not of unit length.

    Raises:
        ModelError: The backbone cannot be split off.
    """
    import keras

    assert source.spec is not None
    backbone, _ = split_at(model, source.spec.features, source)
    x = backbone.outputs[0]
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D(name="pretext_pool")(x)
    elif len(x.shape) > 2:
        x = keras.layers.Flatten(name="pretext_flat")(x)
    x = keras.layers.Dense(x.shape[-1], activation="relu", name="pretext_hidden")(x)
    x = keras.layers.Dense(pretext.vector, name="pretext_vector")(x)
    return keras.Model(model.inputs[0], x)


def forget_head(model: keras.Model, source: ModelSource) -> None:
    """Make every weight after the backbone NaN: nobody trained it, `--from` begins it anew."""
    import numpy as np

    assert source.spec is not None
    backbone = {id(layer) for layer in split_at(model, source.spec.features, source)[0].layers}
    for layer in model.layers:
        if id(layer) not in backbone:
            for weight in layer.weights:
                if weight.numpy().dtype.kind == "f":
                    weight.assign(np.full(weight.shape, np.nan))


def two_views(recipe: Recipe, spec: InputSpec) -> Augmenter:
    """What a feed calls for every batch: [B] pictures become [2 · B], first views, then second."""
    augment = augmenter_for(recipe.augment, spec, 2)

    def views(inputs: Any, labels: Any, seed: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        made = [augment(inputs, labels, one)[0] for one in streams(seed, 2)]
        return tf.concat(made, axis=0), tf.concat([labels, labels], axis=0)

    return views


def pairs(recipe: Recipe, spec: InputSpec, pictures: Array) -> tuple[Array, Array]:
    """Two views of each of `pictures`, always the same ones.

    Returns:
        [2 · N, *shape], first views, then second; and int64 [2 · N], which picture each shows.
    """
    import numpy as np
    import tensorflow as tf

    augment = augmenter_for(recipe.augment, spec, 2)
    sides = []
    for side in range(2):
        made = []
        for at in range(0, len(pictures), _CHUNK):
            some = tf.constant(np.asarray(pictures[at : at + _CHUNK]))
            seed = tf.constant([_SEED + side, at], tf.int32)
            made.append(augment(some, tf.zeros(len(some), tf.int64), seed)[0].numpy())
        sides.append(np.concatenate(made))
    return np.concatenate(sides), np.tile(np.arange(len(pictures)), 2)
