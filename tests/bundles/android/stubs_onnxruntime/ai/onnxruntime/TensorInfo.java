package ai.onnxruntime;

public class TensorInfo implements ValueInfo {
  public final OnnxJavaType type = OnnxJavaType.UNKNOWN;

  public native long[] getShape();
}
