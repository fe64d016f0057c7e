package android.graphics;

public class BitmapFactory {
  public static class Options {
    public boolean inPremultiplied;
    public boolean inScaled;
    public Bitmap.Config inPreferredConfig;
  }

  public static native Bitmap decodeByteArray(byte[] data, int offset, int length, Options options);
}
