package ai.onnxruntime;

public abstract class OnnxTensorLike implements OnnxValue {
  @Override
  public native TensorInfo getInfo();
}
