// Nexus: a service that this worker serves, called by its own workflows.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nexus-rpc/sdk-go/nexus"
	enumspb "go.temporal.io/api/enums/v1"
	nexuspb "go.temporal.io/api/nexus/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/temporalnexus"
	"go.temporal.io/sdk/workflow"
)

const endpoint = "go-suite"

const (
	nScheduled       = enumspb.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED
	nStarted         = enumspb.EVENT_TYPE_NEXUS_OPERATION_STARTED
	nCompleted       = enumspb.EVENT_TYPE_NEXUS_OPERATION_COMPLETED
	nFailed          = enumspb.EVENT_TYPE_NEXUS_OPERATION_FAILED
	nCanceled        = enumspb.EVENT_TYPE_NEXUS_OPERATION_CANCELED
	nTimedOut        = enumspb.EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT
	nCancelAsked     = enumspb.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUESTED
	nCancelDelivered = enumspb.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED
)

// What a started operation does: it waits to be told, or to be canceled.
func Serves(ctx workflow.Context, in string) (string, error) {
	var told string
	workflow.NewSelector(ctx).
		AddReceive(workflow.GetSignalChannel(ctx, "go"), func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, &told) }).
		AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {}).
		Select(ctx)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if told == "fail" {
		return "", temporal.NewApplicationError("it broke", "Broken")
	}
	return in + " " + told, nil
}

func newService() *nexus.Service {
	service := nexus.NewService("suite")
	echo := nexus.NewSyncOperation("echo", func(_ context.Context, in string, _ nexus.StartOperationOptions) (string, error) {
		switch in {
		case "fail":
			return "", nexus.NewOperationFailedErrorf("failed on purpose")
		case "refuse":
			return "", nexus.NewHandlerErrorf(nexus.HandlerErrorTypeBadRequest, "not like this")
		}
		return in, nil
	})
	serve := temporalnexus.NewWorkflowRunOperation("serve", Serves,
		func(_ context.Context, in string, _ nexus.StartOperationOptions) (client.StartWorkflowOptions, error) {
			return client.StartWorkflowOptions{ID: servedBy(in)}, nil
		})
	if err := service.Register(echo, serve); err != nil {
		panic(err)
	}
	return service
}

func servedBy(in string) string { return in + "-served" }

// Calls one operation and says how it ended: its result, or the failures inside each other.
func Calls(ctx workflow.Context, operation, in string, startToClose time.Duration) (string, error) {
	c := workflow.NewNexusClient(endpoint, "suite")
	var out string
	err := c.ExecuteOperation(ctx, operation, in, workflow.NexusOperationOptions{StartToCloseTimeout: startToClose}).Get(ctx, &out)
	if err == nil {
		return out, nil
	}
	var failed *temporal.NexusOperationError
	var application *temporal.ApplicationError
	var refused *nexus.HandlerError
	var tooLong *temporal.TimeoutError
	switch {
	case !errors.As(err, &failed):
		return "", err
	case errors.As(failed.Cause, &refused):
		return "refused: " + string(refused.Type), nil
	case errors.As(failed.Cause, &application):
		return "failed: " + application.Message(), nil
	case errors.As(failed.Cause, &tooLong):
		return "timed out: " + tooLong.TimeoutType().String(), nil
	}
	return "", failed.Cause
}

func CallsAndCancels(ctx workflow.Context, in string) (string, error) {
	c := workflow.NewNexusClient(endpoint, "suite")
	own, cancel := workflow.WithCancel(ctx)
	future := c.ExecuteOperation(own, "serve", in, workflow.NexusOperationOptions{})
	if err := future.GetNexusOperationExecution().Get(ctx, nil); err != nil {
		return "", err
	}
	cancel()
	err := future.Get(ctx, nil)
	return fmt.Sprint(temporal.IsCanceledError(err)), nil
}

// An endpoint for the suite's queue, there already when the server has seen a suite before.
func createEndpoint(ctx context.Context, c client.Client) error {
	_, err := c.OperatorService().CreateNexusEndpoint(ctx, &operatorservice.CreateNexusEndpointRequest{Spec: &nexuspb.EndpointSpec{
		Name: endpoint,
		Target: &nexuspb.EndpointTarget{Variant: &nexuspb.EndpointTarget_Worker_{
			Worker: &nexuspb.EndpointTarget_Worker{Namespace: "default", TaskQueue: queue},
		}},
	}})
	var exists *serviceerror.AlreadyExists
	if errors.As(err, &exists) {
		return nil
	}
	return err
}

// Starts a caller whose operation a workflow serves, and tells that workflow.
func tells(word string) func(*env) (string, error) {
	return func(e *env) (string, error) {
		return e.with(e.options(), Calls, func(client.WorkflowRun) error {
			if err := e.untilEvent(nStarted); err != nil {
				return err
			}
			served := servedBy(e.id)
			caller, err := e.find(e.id, "", nStarted)
			if err != nil {
				return err
			}
			if id := caller.Links[0].GetWorkflowEvent().GetWorkflowId(); id != served {
				return fmt.Errorf("the caller's link is to %q", id)
			}
			handler, err := e.find(served, "", tStarted)
			if err != nil {
				return err
			}
			if id := handler.GetWorkflowExecutionStartedEventAttributes().CompletionCallbacks[0].Links[0].GetWorkflowEvent().GetWorkflowId(); id != e.id {
				return fmt.Errorf("the handler's link is to %q", id)
			}
			return e.client.SignalWorkflow(e, served, "", "go", word)
		}, "serve", e.id, time.Duration(0))
	}
}

var nexusWorkflows = []any{Serves, Calls, CallsAndCancels}

var nexusTests = []test{
	{name: "a nexus operation answered at once", result: "hi", events: types(tStarted, nScheduled, nCompleted, tCompleted),
		run: simple(Calls, "echo", "hi", time.Minute)},
	{name: "a nexus operation that fails", result: "failed: failed on purpose", events: types(tStarted, nScheduled, nFailed, tCompleted),
		run: simple(Calls, "echo", "fail", time.Minute)},
	{name: "a nexus operation that is refused", result: "refused: BAD_REQUEST", events: types(tStarted, nScheduled, nFailed, tCompleted),
		run: simple(Calls, "echo", "refuse", time.Minute)},
	{name: "a nexus operation that nobody has", result: "refused: NOT_FOUND", events: types(tStarted, nScheduled, nFailed, tCompleted),
		run: simple(Calls, "nothing", "hi", time.Minute)},
	{name: "a nexus operation served by a workflow that fails", result: "failed: it broke",
		events: types(tStarted, nScheduled, nStarted, nFailed, tCompleted), run: tells("fail")},
	{name: "a nexus operation served by a workflow that takes too long", result: "timed out: StartToClose",
		events: types(tStarted, nScheduled, nStarted, nTimedOut, tCompleted),
		run: func(e *env) (string, error) {
			return e.with(e.options(), Calls, nil, "serve", e.id, 200*time.Millisecond)
		}},
	// The end of what was canceled may be heard of before the answer to the request, or with nobody left to hear that.
	{name: "a nexus operation that is canceled", result: "true", chance: types(nCancelDelivered),
		events: types(tStarted, nScheduled, nStarted, nCancelAsked, nCanceled, tCompleted),
		run:    func(e *env) (string, error) { return e.with(e.options(), CallsAndCancels, nil, e.id) }},
	{name: "a nexus operation served by a workflow", events: types(tStarted, nScheduled, nStarted, nCompleted, tCompleted), result: "told",
		run: func(e *env) (string, error) {
			got, err := tells("told")(e)
			if err == nil && got == e.id+" told" {
				got = "told"
			}
			return got, err
		}},
}
