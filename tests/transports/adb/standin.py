"""A stand-in for LiteRT's benchmark_model: it takes its flags, computes with LiteRT, and prints
what the tool prints. Times, nodes and memory are this machine's. It proves nothing about the tool.

`STANDIN` in its environment makes it lie or fail, as tools and phones do.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

FLAGS = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])
KNOWN = {
    "graph", "num_threads", "warmup_min_secs", "warmup_runs", "num_runs", "min_secs", "max_secs",
    "use_xnnpack", "use_gpu", "use_nnapi", "disable_nnapi_cpu", "enable_op_profiling",
    "report_peak_memory_footprint",
}  # fmt: skip
MODE = os.environ.get("STANDIN", "")


def say(text, level="INFO"):
    print(f"{level}: {text}", file=sys.stderr)


def count(times):
    if not times:
        say("count=0")
    elif len(set(times)) == 1:
        say(f"count={len(times)} curr={times[-1]}" + "(all same)" * (len(times) > 1))
    else:
        mean, std = statistics.mean(times), round(statistics.pstdev(times))
        low, high = min(times), max(times)
        say(
            f"count={len(times)} first={times[0]} curr={times[-1]} min={low} max={high} "
            f"avg={mean:g} std={std} p5={low} median={round(statistics.median(times))} p95={high}"
        )


def load():
    """An interpreter, its nodes and those that a delegate runs."""
    xnnpack = FLAGS.get("use_xnnpack") != "false"
    resolver = OpResolverType.AUTO if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(
        FLAGS["graph"],
        num_threads=int(FLAGS["num_threads"]),
        experimental_op_resolver_type=resolver,
    )
    interpreter.allocate_tensors()
    found = interpreter._get_ops_details()
    delegates = [node for node in found if node["op_name"] == "DELEGATE"]
    nodes = [node for node in found if node["op_name"] != "DELEGATE"]
    # Back from a delegate's outputs to its inputs.
    todo = [tensor for node in delegates for tensor in node["outputs"]]
    fed = {int(tensor) for node in delegates for tensor in node["inputs"]}
    taken = set()
    while todo:
        tensor = int(todo.pop())
        for node in nodes:
            if tensor in node["outputs"] and tensor not in fed and node["index"] not in taken:
                taken.add(node["index"])
                todo += list(node["inputs"])
    return interpreter, len(nodes), len(taken), len(delegates)


def say_what_ran(nodes, taken, delegates):
    if delegates and MODE != "quiet":
        say(
            f"Replacing {taken} out of {nodes} node(s) with delegate (TfLiteXNNPackDelegate) node, "
            f"yielding {delegates} partitions for subgraph 0.",
            "VERBOSE",
        )
    if FLAGS.get("use_xnnpack") == "true" and delegates:
        say(
            "Explicitly applied XNNPACK delegate, and the model graph will be partially executed "
            f"by the delegate w/ {delegates} delegate kernels."
        )
    if FLAGS.get("use_nnapi") == "true":
        say("NNAPI accelerators available: [nnapi-reference]")
        say(
            "Though NNAPI delegate is explicitly applied, the model graph will not be executed by "
            "the delegate."
        )
    if FLAGS.get("use_gpu") == "true":
        say("GPU acceleration is unsupported on this platform.", "WARN")
        say("Fully accelerated: True")


def run(interpreter, runs, seconds):
    times, end = [], time.monotonic() + seconds
    while len(times) < runs or time.monotonic() < end:
        start = time.perf_counter_ns()
        interpreter.invoke()
        times.append((time.perf_counter_ns() - start) // 1000)
    count(times)
    return times


def main():
    say("STARTING!")
    if MODE == "crash":
        os.abort()
    unknown = [f"--{key}={value}" for key, value in FLAGS.items() if key not in KNOWN]
    if unknown:
        say(f"Unconsumed cmdline flags: {' '.join(unknown)}", "WARN")
    say(f"Graph: [{FLAGS['graph']}]")
    begun = time.perf_counter_ns()
    interpreter, nodes, taken, delegates = load()
    init = (time.perf_counter_ns() - begun) // 1000
    say_what_ran(nodes, taken, delegates)
    say(f"Initialized session in {init / 1e3:g}ms.")
    for detail in interpreter.get_input_details():
        random = np.random.default_rng(0).random(detail["shape"])
        interpreter.set_tensor(detail["index"], random.astype(detail["dtype"]))
    warmup = run(interpreter, int(FLAGS["warmup_runs"]), float(FLAGS["warmup_min_secs"]))
    times = run(interpreter, int(FLAGS["num_runs"]), float(FLAGS["min_secs"]))
    if MODE == "silent":
        return
    say(
        f"Inference timings in us: Init: {init}, First inference: {warmup[0]}, Warmup (avg): "
        f"{statistics.mean(warmup):g}, Inference (avg): {statistics.mean(times):g}"
    )
    if FLAGS.get("report_peak_memory_footprint") == "true":
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        say(f"Overall peak memory footprint (MB) via periodic monitoring: {peak:g}")
    if FLAGS.get("enable_op_profiling") == "true":
        say(f"Number of nodes executed: {nodes}")


main()
