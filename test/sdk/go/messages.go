// Signals, queries, children and strangers.
package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

func Selector(ctx workflow.Context) (string, error) {
	timer, cancel := workflow.WithCancel(ctx)
	got := ""
	workflow.NewSelector(ctx).
		AddFuture(workflow.NewTimer(timer, time.Hour), func(workflow.Future) { got = "timer" }).
		AddReceive(workflow.GetSignalChannel(ctx, "go"), func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, &got) }).
		Select(ctx)
	cancel()
	return got, nil
}

func Counter(ctx workflow.Context, upTo int) (int, error) {
	n := 0
	if err := workflow.SetQueryHandler(ctx, "n", func() (int, error) { return n, nil }); err != nil {
		return 0, err
	}
	for n < upTo {
		workflow.GetSignalChannel(ctx, "inc").Receive(ctx, nil)
		n++
	}
	return n, nil
}

var selfSignals atomic.Bool

// Signals the workflow that runs it, in the midst of the workflow's last task; not again when the task is repeated.
func SignalsItself(ctx context.Context) error {
	if selfSignals.Swap(true) {
		return nil
	}
	return activity.GetClient(ctx).SignalWorkflow(ctx, activity.GetInfo(ctx).WorkflowExecution.ID, "", "late", "heard")
}

func HearsLateSignal(ctx workflow.Context) (heard string, err error) {
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: 5 * time.Second})
	if err = workflow.ExecuteLocalActivity(local, SignalsItself).Get(ctx, nil); err != nil {
		return
	}
	workflow.GetSignalChannel(ctx, "late").ReceiveAsync(&heard)
	return
}

func Parent(ctx workflow.Context) (string, error) {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "-child"})
	var out string
	err := workflow.ExecuteChildWorkflow(ctx, OneActivity, "child").Get(ctx, &out)
	return out, err
}

// Starts a child and closes; what becomes of the child is the policy's.
func LeavesChild(ctx workflow.Context, policy enumspb.ParentClosePolicy) error {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "-child", ParentClosePolicy: policy,
	})
	return workflow.ExecuteChildWorkflow(ctx, Sleeps).GetChildWorkflowExecution().Get(ctx, nil)
}

func Sleeps(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Hour) }

func CancelsChild(ctx workflow.Context) (string, error) {
	inner, cancel := workflow.WithCancel(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "-child", WaitForCancellation: true,
	}))
	child := workflow.ExecuteChildWorkflow(inner, Sleeps)
	if err := child.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
		return "", err
	}
	cancel()
	err := child.Get(ctx, nil)
	return fmt.Sprint(temporal.IsCanceledError(err)), nil
}

func SignalsChild(ctx workflow.Context) (n int, err error) {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "-child"})
	child := workflow.ExecuteChildWorkflow(ctx, Counter, 1)
	if err = child.SignalChildWorkflow(ctx, "inc", nil).Get(ctx, nil); err != nil {
		return
	}
	err = child.Get(ctx, &n)
	return
}

func NobodyThere(ctx workflow.Context) (string, error) {
	const nobody = "nobody-by-this-name"
	var unknown *temporal.UnknownExternalWorkflowExecutionError
	signal := workflow.SignalExternalWorkflow(ctx, nobody, "", "hello", nil).Get(ctx, nil)
	cancel := workflow.RequestCancelExternalWorkflow(ctx, nobody, "").Get(ctx, nil)
	return fmt.Sprintf("%v %v", errors.As(signal, &unknown), errors.As(cancel, &unknown)), nil
}

func Cancelable(ctx workflow.Context) (string, error) {
	if err := workflow.Sleep(ctx, time.Hour); !temporal.IsCanceledError(err) {
		return "", err
	}
	clean, _ := workflow.NewDisconnectedContext(ctx)
	var out string
	err := workflow.ExecuteActivity(opts(clean), Echo, "cleaned").Get(clean, &out)
	return out, err
}

var messageWorkflows = []any{
	Selector, Counter, HearsLateSignal, Parent, LeavesChild, Sleeps, CancelsChild, SignalsChild, NobodyThere, Cancelable,
}

// The child's history ends with `last` once its parent has closed; it is ended where it goes on.
func leaves(policy enumspb.ParentClosePolicy, last enumspb.EventType) func(*env) (string, error) {
	return func(e *env) (string, error) {
		if _, err := e.with(e.options(), LeavesChild, nil, policy); err != nil {
			return "", err
		}
		child := e.id + "-child"
		err := e.until(fmt.Sprintf("child with %v", last), func() (bool, error) {
			found, err := e.types(child, "")
			return len(found) > 0 && found[len(found)-1] == last, err
		})
		if policy == enumspb.PARENT_CLOSE_POLICY_ABANDON {
			err = errors.Join(err, e.client.TerminateWorkflow(e, child, "", "done with it"))
		}
		return policy.String(), err
	}
}

var left = types(tStarted, cInitiated, cStarted, tCompleted)

var messageTests = []test{
	{name: "a signal beats a timer", result: "signal", run: func(e *env) (string, error) {
		return e.with(e.options(), Selector, func(client.WorkflowRun) error {
			return errors.Join(e.untilEvent(timerStarted), e.client.SignalWorkflow(e, e.id, "", "go", "signal"))
		})
	}, events: types(tStarted, timerStarted, signaled, timerCanceled, tCompleted)},
	{name: "queries see each signal", result: "3", run: func(e *env) (string, error) {
		return e.with(e.options(), Counter, func(client.WorkflowRun) error {
			for i := 1; i <= 3; i++ {
				if err := e.client.SignalWorkflow(e, e.id, "", "inc", nil); err != nil {
					return err
				}
				v, err := e.client.QueryWorkflow(e, e.id, "", "n")
				if err != nil {
					return err
				}
				var n int
				if err := v.Get(&n); err != nil || n != i {
					return fmt.Errorf("query answered %d after %d signals (%v)", n, i, err)
				}
			}
			return nil
		}, 3)
	}, events: types(tStarted, signaled, signaled, signaled, tCompleted)},
	{name: "a query is rejected where the condition says so", result: "1 1 Completed", run: func(e *env) (string, error) {
		ask := func(condition enumspb.QueryRejectCondition) (string, error) {
			answer, err := e.client.QueryWorkflowWithOptions(e, &client.QueryWorkflowWithOptionsRequest{WorkflowID: e.id, QueryType: "n", QueryRejectCondition: condition})
			if err != nil {
				return "", err
			}
			if answer.QueryRejected != nil {
				return answer.QueryRejected.Status.String(), nil
			}
			var n int
			err = answer.QueryResult.Get(&n)
			return fmt.Sprint(n), err
		}
		got, err := e.with(e.options(), Counter, func(client.WorkflowRun) error { return e.client.SignalWorkflow(e, e.id, "", "inc", nil) }, 1)
		clean, cleanErr := ask(enumspb.QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY)
		open, openErr := ask(enumspb.QUERY_REJECT_CONDITION_NOT_OPEN)
		var failed *serviceerror.QueryFailed
		if _, err := e.client.QueryWorkflow(e, e.id, "", "unknown"); !errors.As(err, &failed) {
			return "", fmt.Errorf("an unknown query: %v", err)
		}
		return got + " " + clean + " " + open, errors.Join(err, cleanErr, openErr)
	}, events: types(tStarted, signaled, tCompleted)},
	{name: "a signal during the last task is not lost", result: "heard", run: func(e *env) (string, error) {
		got, err := e.with(e.options(), HearsLateSignal, nil)
		if err != nil {
			return "", err
		}
		failed, err := e.find(e.id, "", taskFailed)
		if err == nil && failed.GetWorkflowTaskFailedEventAttributes().Cause != enumspb.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND {
			err = fmt.Errorf("failed because of %v", failed.GetWorkflowTaskFailedEventAttributes().Cause)
		}
		return got, err
	}, events: types(tStarted, signaled, marker, tCompleted)},
	{name: "a child's result", run: simple(Parent), result: "child", events: types(tStarted, cInitiated, cStarted, cCompleted, tCompleted)},
	{name: "a child is terminated with its parent", result: "Terminate", events: left, run: leaves(enumspb.PARENT_CLOSE_POLICY_TERMINATE, tTerminated)},
	{name: "a child is canceled with its parent", result: "RequestCancel", events: left, run: leaves(enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL, tCanceled)},
	{name: "a child is left alone", result: "Abandon", events: left, run: leaves(enumspb.PARENT_CLOSE_POLICY_ABANDON, timerStarted)},
	{name: "a child's cancellation is waited for", run: simple(CancelsChild), result: "true", events: types(tStarted, cInitiated, cStarted,
		enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED, cCanceled, tCompleted)},
	{name: "a child hears a signal", run: simple(SignalsChild), result: "1", events: types(tStarted, cInitiated, cStarted,
		enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED, cCompleted, tCompleted)},
	{name: "a reset keeps signals and counts again", result: "3", run: func(e *env) (string, error) {
		run, err := e.start(e.options(), Counter, 3)
		if err != nil {
			return "", err
		}
		if err := e.untilIdle(); err != nil {
			return "", err
		}
		completed, err := e.find(e.id, run.GetRunID(), enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
		if err != nil {
			return "", err
		}
		for range 2 {
			if err := e.client.SignalWorkflow(e, e.id, "", "inc", nil); err != nil {
				return "", err
			}
		}
		reset, err := e.client.ResetWorkflowExecution(e, &workflowservice.ResetWorkflowExecutionRequest{
			Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: e.id, RunId: run.GetRunID()},
			RequestId: e.id, Reason: "again", WorkflowTaskFinishEventId: completed.GetEventId(),
		})
		if err != nil {
			return "", err
		}
		if err := e.client.SignalWorkflow(e, e.id, "", "inc", nil); err != nil {
			return "", err
		}
		return resultOf(e, e.client.GetWorkflow(e, e.id, reset.GetRunId()))
	}, events: types(tStarted, signaled, signaled, signaled, tCompleted)},
	{name: "nobody there to signal or cancel", run: simple(NobodyThere), result: "true true", events: types(tStarted,
		enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED, tCompleted)},
	{name: "cleans up when canceled", result: "cleaned", run: func(e *env) (string, error) {
		return e.with(e.options(), Cancelable, func(client.WorkflowRun) error {
			return errors.Join(e.untilEvent(timerStarted), e.client.CancelWorkflow(e, e.id, ""))
		})
	}, events: types(tStarted, timerStarted, cancelAsked, timerCanceled, aScheduled, aStarted, aCompleted, tCompleted)},
}
