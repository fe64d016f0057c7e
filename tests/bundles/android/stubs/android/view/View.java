package android.view;

import android.content.Context;

public class View {
  public static final int VISIBLE = 0;
  public static final int GONE = 8;
  public static final int ACCESSIBILITY_LIVE_REGION_POLITE = 1;

  public interface OnClickListener {
    void onClick(View view);
  }

  public View(Context context) {}

  public native void setOnClickListener(OnClickListener listener);

  public native int getVisibility();

  public native void setVisibility(int visibility);

  public native CharSequence getContentDescription();

  public native void setContentDescription(CharSequence text);

  public native int getAccessibilityLiveRegion();

  public native void setAccessibilityLiveRegion(int mode);

  public native boolean getFitsSystemWindows();

  public native void setFitsSystemWindows(boolean fits);

  public native void setPadding(int left, int top, int right, int bottom);

  public final native android.content.res.Resources getResources();
}
