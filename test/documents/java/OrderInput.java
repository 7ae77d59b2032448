/** What the document's Java names and does not show; what it orders it does not say. */
public class OrderInput {
  private String orderId;
  private String customerId;

  public String getOrderId() {
    return orderId;
  }

  public void setOrderId(String orderId) {
    this.orderId = orderId;
  }

  public String getCustomerId() {
    return customerId;
  }

  public void setCustomerId(String customerId) {
    this.customerId = customerId;
  }
}
