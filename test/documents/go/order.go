// What the document's Go names and does not show: the order workflow, its activities and records, and the program around its functions.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.temporal.io/sdk/workflow"
)

type OrderItem struct {
	ProductID string
	Quantity  int
	Price     float64
}

type OrderInput struct {
	OrderID    string
	CustomerID string
	Items      []OrderItem
}

type PaymentInfo struct {
	PaymentID string
	Amount    float64
	Currency  string
	Method    string
}

type OrderStatus struct {
	State   string
	Receipt string
}

func ProcessPaymentActivity(_ context.Context, order OrderInput, payment PaymentInfo) (string, error) {
	return fmt.Sprintf("%s: %.2f %s by %s", order.CustomerID, payment.Amount, payment.Currency, payment.Method), nil
}

func UpdateInventoryActivity(_ context.Context, items []OrderItem) (int, error) { return items[0].Quantity, nil }

func SendNotificationActivity(_ context.Context, receipt string, count int) (string, error) {
	return fmt.Sprintf("%s for %d", receipt, count), nil
}

func OrderProcessingWorkflow(ctx workflow.Context, order OrderInput) (OrderStatus, error) {
	status := OrderStatus{State: "awaiting payment"}
	if err := workflow.SetQueryHandler(ctx, "get_order_status", func() (OrderStatus, error) { return status, nil }); err != nil {
		return status, err
	}
	var payment PaymentInfo
	workflow.GetSignalChannel(ctx, "payment_received").Receive(ctx, &payment)
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	var receipt string
	var count int
	if err := workflow.ExecuteActivity(ctx, ProcessPaymentActivity, order, payment).Get(ctx, &receipt); err != nil {
		return status, err
	}
	if err := workflow.ExecuteActivity(ctx, UpdateInventoryActivity, order.Items).Get(ctx, &count); err != nil {
		return status, err
	}
	if err := workflow.ExecuteActivity(ctx, SendNotificationActivity, receipt, count).Get(ctx, &status.Receipt); err != nil {
		return status, err
	}
	status.State = "paid"
	return status, nil
}

func run() error {
	worked := make(chan error, 1)
	go func() { worked <- startWorker() }()
	c, err := createClient()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := startWorkflow(c); err != nil {
		return err
	}
	before, err := queryWorkflow(c, "order-processing-12345", "")
	if err != nil {
		return err
	}
	if err := signalWorkflow(c, "order-processing-12345", ""); err != nil {
		return err
	}
	var result OrderStatus
	if err := c.GetWorkflow(context.Background(), "order-processing-12345", "").Get(context.Background(), &result); err != nil {
		return err
	}
	after, err := queryWorkflow(c, "order-processing-12345", "")
	if err != nil {
		return err
	}
	// As an operator does: the worker of the document runs until it is interrupted.
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		return err
	}
	if err := <-worked; err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode([]string{before.State, after.State, result.Receipt})
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
