package ai.onnxruntime;

import java.util.Map;
import java.util.Optional;
import java.util.Set;

public class OrtSession implements AutoCloseable {
  public static class SessionOptions implements AutoCloseable {
    public native void setIntraOpNumThreads(int threads) throws OrtException;

    @Override
    public native void close();
  }

  public static class Result implements AutoCloseable {
    public native Optional<OnnxValue> get(String name);

    @Override
    public native void close();
  }

  public native Set<String> getInputNames();

  public native Set<String> getOutputNames();

  public native Result run(Map<String, ? extends OnnxTensorLike> inputs) throws OrtException;

  @Override
  public native void close() throws OrtException;
}
