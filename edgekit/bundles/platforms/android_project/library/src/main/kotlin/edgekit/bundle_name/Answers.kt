package edgekit.bundle_name

import kotlin.math.exp
import kotlin.math.max
import kotlin.math.min

/** A rectangle. */
data class Box(val left: Double, val top: Double, val right: Double, val bottom: Double)

/**
 * A class or an object that the model sees.
 *
 * @property label The number as text where there are no labels.
 * @property score 0 to 1 after softmax or sigmoid; else as the model gives it.
 * @property number Of the class.
 * @property box In pixels of the picture.
 */
data class Found(val label: String, val score: Double, val number: Int, val box: Box? = null)

// As `edgekit/bundles/answers.py` and, step by step, `edgekit/detection.py`; in float64.

/** What one sample's outputs mean, best first; boxes in 0–1 of the input. [outputs] as in the contract. */
internal fun answered(answer: Answer, outputs: Map<String, Tensor>, labels: List<String>): List<Found> {
    fun label(number: Int) = labels.getOrElse(number) { number.toString() }
    return when (answer) {
        is Answer.Classes -> {
            val scores = activated(outputs.values.elementAt(answer.output).values(), answer.activation)
            descending(scores).take(answer.top).map { Found(label(it), scores[it], it) }
        }
        is Answer.Objects -> objects(
            outputs["boxes"] ?: throw ModelException("no output boxes"),
            outputs["scores"] ?: throw ModelException("no output scores"),
            answer,
        ).map { it.copy(label = label(it.number)) }
        is Answer.Tensors -> emptyList()
    }
}

/** Outputs after the app's activation. */
internal fun activated(values: DoubleArray, activation: String): DoubleArray = when (activation) {
    "softmax" -> {
        val highest = values.maxOrNull() ?: 0.0
        val powers = DoubleArray(values.size) { exp(values[it] - highest) }
        val sum = powers.sum()
        DoubleArray(powers.size) { powers[it] / sum }
    }
    "sigmoid" -> DoubleArray(values.size) { sigmoid(values[it]) }
    else -> values
}

private fun sigmoid(value: Double) = 1 / (1 + exp(-value))

/** Places of scores, highest first; equal ones, and 0.0 and -0.0, keep their order, NaN comes last. */
private fun descending(scores: DoubleArray): List<Int> = scores.indices.sortedWith { one, other ->
    val (a, b) = scores[one] to scores[other]
    when {
        a > b || (b.isNaN() && !a.isNaN()) -> -1
        a < b || (a.isNaN() && !b.isNaN()) -> 1
        else -> 0
    }
}

/** Objects from boxes [A, 4] and logits [A, C]. */
internal fun objects(boxes: Tensor, logits: Tensor, rules: Answer.Objects): List<Found> {
    val corners = boxes.values()
    val classes = logits.shape.last()
    val scores = logits.values().also { for (at in it.indices) it[at] = sigmoid(it[at]) }
    val places = scores.indices.filter { scores[it] >= rules.threshold }
    val order = descending(DoubleArray(places.size) { scores[places[it]] })
    val kept = ArrayList<Found>()
    for (at in order.take(rules.candidates).map(places::get)) {
        fun corner(i: Int) = corners[at / classes * 4 + i].coerceIn(0.0, 1.0)
        val box = Box(corner(0), corner(1), corner(2), corner(3))
        if (!(box.right > box.left && box.bottom > box.top)) continue
        val number = at % classes
        val clashes = kept.any { it.number == number && overlapOf(checkNotNull(it.box), box) > rules.overlap }
        if (!clashes) kept.add(Found("", scores[at].toFloat().toDouble(), number, box))
    }
    return kept.take(rules.most)
}

private fun overlapOf(a: Box, b: Box): Double {
    val wide = max(min(a.right, b.right) - max(a.left, b.left), 0.0)
    val high = max(min(a.bottom, b.bottom) - max(a.top, b.top), 0.0)
    val union = area(a) + area(b) - wide * high
    return if (union > 0) wide * high / union else 0.0
}

private fun area(box: Box) = (box.right - box.left) * (box.bottom - box.top)
