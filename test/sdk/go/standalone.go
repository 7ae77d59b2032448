// Activities without a workflow.
package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

func (e *env) activityOptions() client.StartActivityOptions {
	return client.StartActivityOptions{
		ID: e.id, TaskQueue: queue, StartToCloseTimeout: 20 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 20 * time.Millisecond},
	}
}

// On a queue that nobody polls.
func (e *env) waiting(name string) client.StartActivityOptions {
	o := e.activityOptions()
	o.ID, o.TaskQueue = e.id+name, queue+"-nobody"
	return o
}

func (e *env) resultOfActivity(o client.StartActivityOptions, fn any, args ...any) (string, error) {
	h, err := e.client.ExecuteActivity(e, o, fn, args...)
	if err != nil {
		return "", err
	}
	var out any
	err = h.Get(e, &out)
	return fmt.Sprint(out), err
}

var standaloneTests = []test{
	{name: "standalone: a result, for who started it and for who asks later", result: "hello", run: func(e *env) (string, error) {
		if got, err := e.resultOfActivity(e.activityOptions(), Echo, "hello"); err != nil || got != "hello" {
			return "", fmt.Errorf("%s %v", got, err)
		}
		var out string
		err := e.client.GetActivityHandle(client.GetActivityHandleOptions{ActivityID: e.id}).Get(e, &out)
		return out, err
	}},
	{name: "standalone: its own delay beats the policy, and it is described", result: "2 Completed Later late", run: func(e *env) (string, error) {
		o := e.activityOptions()
		o.RetryPolicy, o.Summary = &temporal.RetryPolicy{InitialInterval: time.Hour, MaximumInterval: time.Hour}, "late"
		h, err := e.client.ExecuteActivity(e, o, Later)
		if err != nil {
			return "", err
		}
		if err := h.Get(e, nil); err != nil {
			return "", err
		}
		d, err := h.Describe(e, client.DescribeActivityOptions{})
		if err != nil {
			return "", err
		}
		summary, err := d.GetSummary()
		return fmt.Sprintf("%d %v %s %s", d.Attempt, d.Status, d.ActivityType, summary), err
	}},
	{name: "standalone: goes on from its heartbeat", result: "42", run: func(e *env) (string, error) {
		o := e.activityOptions()
		o.HeartbeatTimeout = 500 * time.Millisecond
		return e.resultOfActivity(o, Beats)
	}},
	{name: "standalone: fails with what its worker said", result: "Fatal detail 7", run: func(e *env) (string, error) {
		o := e.activityOptions()
		o.RetryPolicy.NonRetryableErrorTypes = []string{"Fatal"}
		_, err := e.resultOfActivity(o, Fatal)
		var app *temporal.ApplicationError
		if !errors.As(err, &app) {
			return "", fmt.Errorf("not an application error: %v", err)
		}
		var detail string
		var number int
		err = app.Details(&detail, &number)
		return fmt.Sprintf("%s %s %d", app.Type(), detail, number), err
	}},
	{name: "standalone: times out when nobody takes it", result: "ScheduleToStart", run: func(e *env) (string, error) {
		o := e.waiting("")
		o.ScheduleToStartTimeout = 200 * time.Millisecond
		_, err := e.resultOfActivity(o, Echo, "")
		var timeout *temporal.TimeoutError
		if !errors.As(err, &timeout) {
			return "", fmt.Errorf("no timeout: %v", err)
		}
		return timeout.TimeoutType().String(), nil
	}},
	{name: "standalone: hears of its cancellation; another is terminated while it waits", result: "Canceled Terminated", run: func(e *env) (string, error) {
		o := e.activityOptions()
		o.HeartbeatTimeout = time.Second
		h, err := e.client.ExecuteActivity(e, o, UntilCanceled)
		if err != nil {
			return "", err
		}
		if err := e.until("started", func() (bool, error) {
			d, err := h.Describe(e, client.DescribeActivityOptions{})
			return err == nil && d.RunState == enumspb.PENDING_ACTIVITY_STATE_STARTED, err
		}); err != nil {
			return "", err
		}
		if err := h.Cancel(e, client.CancelActivityOptions{Reason: "stop"}); err != nil {
			return "", err
		}
		var canceled *temporal.CanceledError
		if err := h.Get(e, nil); !errors.As(err, &canceled) {
			return "", fmt.Errorf("not canceled: %v", err)
		}
		other, err := e.client.ExecuteActivity(e, e.waiting("-t"), Echo, "")
		if err != nil {
			return "", err
		}
		if err := other.Terminate(e, client.TerminateActivityOptions{Reason: "enough"}); err != nil {
			return "", err
		}
		var terminated *temporal.TerminatedError
		if err := other.Get(e, nil); !errors.As(err, &terminated) {
			return "", fmt.Errorf("not terminated: %v", err)
		}
		first, err := h.Describe(e, client.DescribeActivityOptions{})
		if err != nil {
			return "", err
		}
		second, err := other.Describe(e, client.DescribeActivityOptions{})
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%v %v", first.Status, second.Status), nil
	}},
	{name: "standalone: an id is its own while it runs", result: "true", run: func(e *env) (string, error) {
		h, err := e.client.ExecuteActivity(e, e.waiting(""), Echo, "")
		if err != nil {
			return "", err
		}
		var taken *serviceerror.ActivityExecutionAlreadyStarted
		if _, err := e.client.ExecuteActivity(e, e.waiting(""), Echo, ""); !errors.As(err, &taken) {
			return "", fmt.Errorf("a second start: %v", err)
		}
		o := e.waiting("")
		o.ActivityIDConflictPolicy = enumspb.ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING
		same, err := e.client.ExecuteActivity(e, o, Echo, "")
		if err != nil {
			return "", err
		}
		return fmt.Sprint(same.GetRunID() == h.GetRunID()), h.Terminate(e, client.TerminateActivityOptions{})
	}},
	{name: "standalone: listed and counted, with attributes", result: "[one two]", run: func(e *env) (string, error) {
		for _, value := range []string{"one", "two"} {
			o := e.waiting("-" + value)
			o.TypedSearchAttributes = temporal.NewSearchAttributes(word.ValueSet(value))
			if _, err := e.client.ExecuteActivity(e, o, Echo, ""); err != nil {
				return "", err
			}
		}
		query := fmt.Sprintf("ActivityId STARTS_WITH '%s' AND ActivityType = 'Echo' AND ExecutionStatus = 'Running'", e.id)
		if err := e.until("counted", func() (bool, error) {
			n, err := e.client.CountActivities(e, client.CountActivitiesOptions{Query: query})
			return err == nil && n.Count == 2, err
		}); err != nil {
			return "", err
		}
		listed, err := e.client.ListActivities(e, client.ListActivitiesOptions{Query: query})
		if err != nil {
			return "", err
		}
		var found []string
		for a, err := range listed.Results {
			if err != nil {
				return "", err
			}
			value, _ := a.TypedSearchAttributes.GetKeyword(word)
			found = append(found, value)
			h := e.client.GetActivityHandle(client.GetActivityHandleOptions{ActivityID: a.ActivityID})
			if err := h.Terminate(e, client.TerminateActivityOptions{}); err != nil {
				return "", err
			}
		}
		slices.Sort(found)
		return fmt.Sprint(found), nil
	}},
}
