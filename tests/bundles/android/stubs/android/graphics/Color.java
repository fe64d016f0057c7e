package android.graphics;

public class Color {
  public static native int parseColor(String text);
}
