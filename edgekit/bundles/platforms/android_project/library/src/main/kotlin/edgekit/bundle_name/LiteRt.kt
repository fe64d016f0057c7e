package edgekit.bundle_name

import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.TensorFlowLite

/** LiteRT, on the processor: its interpreter takes every type of numbers. */
object LiteRt : Runtime {
    override fun load(model: ByteArray, taken: List<Port>, given: List<Port>, threads: Int): Session =
        LiteRtModel(Interpreter(direct(model), Interpreter.Options().setNumThreads(threads)), taken, given)
}

private class LiteRtModel(
    private val interpreter: Interpreter,
    private val taken: List<Port>,
    private val given: List<Port>,
) : Session {
    private val inputs = orderOf(taken, List(interpreter.inputTensorCount) { interpreter.getInputTensor(it).name() })
    private val outputs = orderOf(given, List(interpreter.outputTensorCount) { interpreter.getOutputTensor(it).name() })

    override val runtime = "LiteRT ${TensorFlowLite.runtimeVersion()}"

    init {
        inputs.zip(taken).forEach { (at, port) -> check(interpreter.getInputTensor(at).dataType(), port) }
        outputs.zip(given).forEach { (at, port) -> check(interpreter.getOutputTensor(at).dataType(), port) }
    }

    override fun run(inputs: List<Tensor>): List<Tensor> {
        val fed = arrayOfNulls<Any>(inputs.size)
        this.inputs.zip(inputs).forEach { (at, tensor) -> fed[at] = direct(tensor.bytes) }
        val buffers = outputs.associateWith { direct(ByteArray(interpreter.getOutputTensor(it).numBytes())) }
        interpreter.runForMultipleInputsOutputs(fed, buffers)
        return outputs.zip(given).map { (at, port) ->
            val shape = interpreter.getOutputTensor(at).shape().toList()
            if (shape.firstOrNull() != 1) throw ModelException("${port.name}: the model gives $shape")
            val buffer = buffers.getValue(at).apply { rewind() }
            Tensor(port.dtype, shape.drop(1), ByteArray(buffer.remaining()).also(buffer::get))
        }
    }

    override fun close() = interpreter.close()

    private fun check(type: DataType, port: Port) {
        if (type.name == port.dtype.name) return
        throw ModelException("${port.name}: $type in the file, ${port.dtype} in its contract")
    }
}

private fun direct(bytes: ByteArray): ByteBuffer =
    ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder()).put(bytes).apply { rewind() }
