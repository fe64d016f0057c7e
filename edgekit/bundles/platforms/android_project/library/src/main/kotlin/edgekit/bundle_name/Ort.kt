package edgekit.bundle_name

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** ONNX Runtime. */
object Ort : Runtime {
    override fun load(model: ByteArray, taken: List<Port>, given: List<Port>, threads: Int): Session {
        val environment = OrtEnvironment.getEnvironment()
        val session = OrtSession.SessionOptions().use { options ->
            options.setIntraOpNumThreads(threads)
            environment.createSession(model, options)
        }
        return OrtModel(environment, session, taken, given)
    }
}

private class OrtModel(
    private val environment: OrtEnvironment,
    private val session: OrtSession,
    private val taken: List<Port>,
    private val given: List<Port>,
) : Session {
    private val inputs = session.inputNames.toList().let { names -> orderOf(taken, names).map(names::get) }
    private val outputs = session.outputNames.toList().let { names -> orderOf(given, names).map(names::get) }

    override val runtime = "ONNX Runtime ${environment.version}"

    override fun run(inputs: List<Tensor>): List<Tensor> {
        val fed = LinkedHashMap<String, OnnxTensor>()
        try {
            for ((name, tensor) in this.inputs.zip(inputs)) fed[name] = onnxOf(tensor)
            return session.run(fed).use { result ->
                outputs.zip(given).map { (name, port) -> tensorOf(result.get(name).get() as OnnxTensor, port) }
            }
        } finally {
            fed.values.forEach(OnnxTensor::close)
        }
    }

    override fun close() = session.close()

    private fun onnxOf(tensor: Tensor): OnnxTensor {
        val buffer = ByteBuffer.allocateDirect(tensor.bytes.size).order(ByteOrder.nativeOrder()).put(tensor.bytes)
        buffer.rewind()
        val shape = longArrayOf(1) + tensor.shape.map(Int::toLong)
        return OnnxTensor.createTensor(environment, buffer, shape, typeOf(tensor.dtype))
    }

    private fun tensorOf(found: OnnxTensor, port: Port): Tensor {
        val shape = found.info.shape.map(Long::toInt)
        if (found.info.type != typeOf(port.dtype) || shape.firstOrNull() != 1) {
            throw ModelException("${port.name}: the model gives ${found.info.type} of $shape")
        }
        val buffer = found.byteBuffer
        return Tensor(port.dtype, shape.drop(1), ByteArray(buffer.remaining()).also(buffer::get))
    }
}

private fun typeOf(dtype: DType): OnnxJavaType = when (dtype) {
    DType.UINT8 -> OnnxJavaType.UINT8
    DType.INT8 -> OnnxJavaType.INT8
    DType.INT16 -> OnnxJavaType.INT16
    DType.INT32 -> OnnxJavaType.INT32
    DType.INT64 -> OnnxJavaType.INT64
    DType.FLOAT32 -> OnnxJavaType.FLOAT
}
