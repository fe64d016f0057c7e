package android.widget;

import android.content.Context;

public class TextView extends android.view.View {
  public TextView(Context context) {
    super(context);
  }

  public native CharSequence getText();

  public final native void setText(CharSequence text);

  public final native void setText(int id);

  public native float getTextSize();

  public native void setTextSize(float size);

  public native void setTextIsSelectable(boolean selectable);

  public final native void setHint(int id);
}
