package ai.onnxruntime;

public final class OrtEnvironment implements AutoCloseable {
  public static native OrtEnvironment getEnvironment();

  public native String getVersion();

  public native OrtSession createSession(byte[] model, OrtSession.SessionOptions options)
      throws OrtException;

  @Override
  public native void close();
}
