// How runs start, follow each other and end, and what is recorded of them.
package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

var word = temporal.NewSearchAttributeKeyKeyword("CustomKeywordField")

// What the last run of a chain knows that was said of the first one.
func Continues(ctx workflow.Context, n int) (string, error) {
	if n > 0 {
		return "", workflow.NewContinueAsNewError(ctx, Continues, n-1)
	}
	info := workflow.GetInfo(ctx)
	var memo string
	if err := converter.GetDefaultDataConverter().FromPayload(info.Memo.Fields["m"], &memo); err != nil {
		return "", err
	}
	value, _ := workflow.GetTypedSearchAttributes(ctx).GetKeyword(word)
	return fmt.Sprintf("%s %s %v", memo, value, info.ContinuedExecutionRunID != ""), nil
}

func Versioned(ctx workflow.Context) (int, error) {
	v := workflow.GetVersion(ctx, "change", workflow.DefaultVersion, 2)
	var r int
	err := workflow.SideEffect(ctx, func(workflow.Context) any { return 5 }).Get(&r)
	return int(v) + r, err
}

// The third reading differs from the second: the marker is renewed then, and then only.
func MutableSideEffect(ctx workflow.Context) (sum int, err error) {
	for _, reading := range []int{1, 1, 4} {
		var r int
		same := func(a, b any) bool { return a.(int) == b.(int) }
		if err = workflow.MutableSideEffect(ctx, "reading", func(workflow.Context) any { return reading }, same).Get(&r); err != nil {
			return
		}
		sum += r
	}
	return
}

func Fails(workflow.Context) error {
	return temporal.NewNonRetryableApplicationError("no", "Typed", nil, 3)
}

func ThirdTime(ctx workflow.Context) (int32, error) {
	if n := workflow.GetInfo(ctx).Attempt; n == 3 {
		return n, nil
	}
	return 0, errors.New("not yet")
}

func Cron(ctx workflow.Context) (n int, err error) {
	if workflow.HasLastCompletionResult(ctx) {
		err = workflow.GetLastCompletionResult(ctx, &n)
	}
	return n + 1, err
}

func Annotated(ctx workflow.Context) (string, error) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, word.ValueSet("later")); err != nil {
		return "", err
	}
	return "annotated", workflow.UpsertMemo(ctx, map[string]any{"note": "later", "gone": nil})
}

var runWorkflows = []any{Continues, Versioned, MutableSideEffect, Fails, ThirdTime, Cron, Annotated}

func (e *env) count(query string) (int64, error) {
	answer, err := e.client.CountWorkflow(e, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
	return answer.GetCount(), err
}

var runTests = []test{
	{name: "continue as new carries memo and attributes", result: "kept too true", events: types(tStarted, tCompleted), run: func(e *env) (string, error) {
		o := e.options()
		o.Memo = map[string]any{"m": "kept"}
		o.TypedSearchAttributes = temporal.NewSearchAttributes(word.ValueSet("too"))
		run, err := e.start(o, Continues, 1)
		if err != nil {
			return "", err
		}
		first := run.GetRunID()
		got, err := resultOf(e, run)
		if err != nil {
			return "", err
		}
		if found, err := e.types(e.id, first); !slices.Equal(found, types(tStarted, tContinued)) {
			return "", fmt.Errorf("the first run: %v %v", found, err)
		}
		return got, nil
	}},
	{name: "version and side effect", run: simple(Versioned), result: "7", events: types(tStarted, marker, upserted, marker, tCompleted)},
	{name: "a mutable side effect is recorded when it changes", run: simple(MutableSideEffect), result: "6", events: types(tStarted, marker, marker, tCompleted)},
	{name: "a typed failure", result: "Typed", events: types(tStarted, tFailed), run: func(e *env) (string, error) {
		_, err := e.with(e.options(), Fails, nil)
		var app *temporal.ApplicationError
		if !errors.As(err, &app) {
			return "", fmt.Errorf("not an application error: %v", err)
		}
		return app.Type(), nil
	}},
	{name: "a run is retried by its policy", result: "3", events: types(tStarted, tCompleted), run: func(e *env) (string, error) {
		o := e.options()
		o.RetryPolicy = &temporal.RetryPolicy{InitialInterval: 10 * time.Millisecond, MaximumAttempts: 5}
		return e.with(o, ThirdTime, nil)
	}},
	{name: "the run timeout", result: "StartToClose", events: types(tStarted, timerStarted, tTimedOut), run: func(e *env) (string, error) {
		o := e.options()
		o.WorkflowRunTimeout = 300 * time.Millisecond
		_, err := e.with(o, Sleeps, nil)
		var timeout *temporal.TimeoutError
		if !errors.As(err, &timeout) {
			return "", err
		}
		return timeout.TimeoutType().String(), nil
	}},
	{name: "a signal starts once, and its id is taken", result: "2", events: types(tStarted, signaled, signaled, tCompleted), run: func(e *env) (string, error) {
		first, err := e.client.SignalWithStartWorkflow(e, e.id, "inc", nil, e.options(), Counter, 2)
		if err != nil {
			return "", err
		}
		o := e.options()
		o.WorkflowExecutionErrorWhenAlreadyStarted = true
		var taken *serviceerror.WorkflowExecutionAlreadyStarted
		if _, err := e.start(o, Counter, 2); !errors.As(err, &taken) || taken.RunId != first.GetRunID() {
			return "", fmt.Errorf("a second start: %v", err)
		}
		second, err := e.client.SignalWithStartWorkflow(e, e.id, "inc", nil, e.options(), Counter, 2)
		if err != nil || second.GetRunID() != first.GetRunID() {
			return "", fmt.Errorf("the second signal reached another run (%v)", err)
		}
		return resultOf(e, second)
	}},
	{name: "an id's policies: reject, use, terminate", result: "hi", events: one, run: func(e *env) (string, error) {
		o := e.options()
		running, err := e.start(o, Sleeps)
		if err != nil {
			return "", err
		}
		o.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
		if again, err := e.start(o, Sleeps); err != nil || again.GetRunID() != running.GetRunID() {
			return "", fmt.Errorf("not the running one (%v)", err)
		}
		o.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
		fresh, err := e.start(o, OneActivity, "hi")
		if err != nil {
			return "", err
		}
		if found, err := e.types(e.id, running.GetRunID()); err != nil || found[len(found)-1] != tTerminated {
			return "", fmt.Errorf("the first run is not terminated: %v %v", found, err)
		}
		got, err := resultOf(e, fresh)
		if err != nil {
			return "", err
		}
		o = e.options()
		o.WorkflowIDReusePolicy, o.WorkflowExecutionErrorWhenAlreadyStarted = enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, true
		var taken *serviceerror.WorkflowExecutionAlreadyStarted
		if _, err := e.start(o, Sleeps); !errors.As(err, &taken) {
			return "", fmt.Errorf("used again: %v", err)
		}
		return got, nil
	}},
	{name: "cron hands its result on", result: "2", run: func(e *env) (string, error) {
		o := e.options()
		o.CronSchedule = "@every 1s"
		first, err := e.start(o, Cron)
		if err != nil {
			return "", err
		}
		var second string
		if err := e.until("two runs", func() (bool, error) {
			completed, err := e.find(e.id, first.GetRunID(), tCompleted)
			if err != nil {
				return false, err
			}
			second = completed.GetWorkflowExecutionCompletedEventAttributes().NewExecutionRunId
			_, err = e.find(e.id, second, tCompleted)
			return err == nil, err
		}); err != nil {
			return "", err
		}
		completed, err := e.find(e.id, second, tCompleted)
		if err != nil {
			return "", err
		}
		var n int
		err = converter.GetDefaultDataConverter().FromPayloads(completed.GetWorkflowExecutionCompletedEventAttributes().Result, &n)
		return fmt.Sprint(n), errors.Join(err, e.client.TerminateWorkflow(e, e.id, "", "enough"))
	}, events: types(tStarted, tTerminated)},
	{name: "a delayed start", result: "late", events: one, run: func(e *env) (string, error) {
		o := e.options()
		o.StartDelay = 400 * time.Millisecond
		return e.with(o, OneActivity, func(run client.WorkflowRun) error {
			d, err := e.client.DescribeWorkflowExecution(e, e.id, "")
			if err != nil {
				return err
			}
			info := d.GetWorkflowExecutionInfo()
			if delay := info.ExecutionTime.AsTime().Sub(info.StartTime.AsTime()); delay != o.StartDelay {
				return fmt.Errorf("executes %v after its start", delay)
			}
			return nil
		}, "late")
	}},
	{name: "attributes and memo are found again", result: "annotated", events: types(tStarted, upserted, modified, tCompleted), run: func(e *env) (string, error) {
		o := e.options()
		o.Memo = map[string]any{"gone": 1}
		got, err := e.with(o, Annotated, nil)
		if err != nil {
			return "", err
		}
		if err := e.until("listed", func() (bool, error) {
			n, err := e.count(fmt.Sprintf("CustomKeywordField = 'later' AND WorkflowId = '%s' AND ExecutionStatus = 'Completed'", e.id))
			return n == 1, err
		}); err != nil {
			return "", err
		}
		d, err := e.client.DescribeWorkflowExecution(e, e.id, "")
		if fields := d.GetWorkflowExecutionInfo().GetMemo().GetFields(); len(fields) != 1 || fields["note"] == nil {
			return "", fmt.Errorf("the memo is %v (%v)", fields, err)
		}
		return got, nil
	}},
	{name: "an eager start needs no poll", result: "hi", events: one, run: func(e *env) (string, error) {
		o := e.options()
		o.EnableEagerStart = true
		got, err := e.with(o, OneActivity, nil, "hi")
		if err != nil {
			return "", err
		}
		started, err := e.find(e.id, "", tStarted)
		if err == nil && !started.GetWorkflowExecutionStartedEventAttributes().EagerExecutionAccepted {
			err = errors.New("not accepted as eager")
		}
		return got, err
	}},
}
