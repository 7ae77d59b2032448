// Updates: answered, rejected, failed, with start, and of a workflow whose worker has been killed.
package main

import (
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

const (
	updateAccepted  = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
	updateCompleted = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED
)

// Adds what it is told to, positive numbers only, until it is told to end.
func Sums(ctx workflow.Context) (sum int, err error) {
	err = workflow.SetUpdateHandlerWithOptions(ctx, "add", func(ctx workflow.Context, n int) (int, error) {
		if n > 1000 {
			return 0, temporal.NewApplicationError("too much", "TooMuch")
		}
		if n > 100 {
			if err := workflow.Sleep(ctx, 50*time.Millisecond); err != nil {
				return 0, err
			}
		}
		sum += n
		return sum, nil
	}, workflow.UpdateHandlerOptions{Validator: func(n int) error {
		if n <= 0 {
			return errors.New("only up")
		}
		return nil
	}})
	if err == nil {
		workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil)
	}
	return
}

var updateWorkflows = []any{Sums}

func (e *env) add(n int, updateID string, stage client.WorkflowUpdateStage) (client.WorkflowUpdateHandle, error) {
	return e.client.UpdateWorkflow(e, client.UpdateWorkflowOptions{
		WorkflowID: e.id, UpdateID: updateID, UpdateName: "add", Args: []any{n}, WaitForStage: stage,
	})
}

func (e *env) added(n int) (sum int, err error) {
	h, err := e.add(n, "", client.WorkflowUpdateStageCompleted)
	if err == nil {
		err = h.Get(e, &sum)
	}
	return
}

func (e *env) end() error { return e.client.SignalWorkflow(e, e.id, "", "end", nil) }

var updateTests = []test{
	{name: "updates are answered, rejected and failed", result: "1 only up too much 3",
		events: types(tStarted, updateAccepted, updateCompleted, updateAccepted, updateCompleted, updateAccepted, updateCompleted, signaled, tCompleted),
		run: func(e *env) (said string, err error) {
			sum, err := e.with(e.options(), Sums, func(client.WorkflowRun) error {
				first, err := e.added(1)
				if err != nil {
					return err
				}
				_, rejected := e.added(-1)
				_, failed := e.added(2000)
				said = fmt.Sprintf("%d %v %v ", first, rejected, applicationText(failed))
				if _, err = e.added(2); err != nil {
					return err
				}
				return e.end()
			})
			return said + sum, err
		}},
	{name: "an update is accepted first, and its result is there when the workflow has ended", result: "101 101 true",
		events: types(tStarted, updateAccepted, timerStarted, timerFired, updateCompleted, signaled, tCompleted),
		run: func(e *env) (string, error) {
			run, err := e.start(e.options(), Sums)
			if err != nil {
				return "", err
			}
			h, err := e.add(101, "mine", client.WorkflowUpdateStageAccepted)
			if err != nil {
				return "", err
			}
			var first, again int
			if err = h.Get(e, &first); err == nil {
				err = e.end()
			}
			if err == nil {
				_, err = resultOf(e, run)
			}
			if err == nil {
				err = e.client.GetWorkflowUpdateHandle(client.GetWorkflowUpdateHandleOptions{WorkflowID: e.id, UpdateID: "mine"}).Get(e, &again)
			}
			_, late := e.added(1)
			var notFound *serviceerror.NotFound
			return fmt.Sprint(first, again, errors.As(late, &notFound)), err
		}},
	{name: "an update with start starts once", result: "1 3 3",
		events: types(tStarted, updateAccepted, updateCompleted, updateAccepted, updateCompleted, signaled, tCompleted),
		run: func(e *env) (string, error) {
			var sums [2]int
			for i := range sums {
				o := e.options()
				o.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
				h, err := e.client.UpdateWithStartWorkflow(e, client.UpdateWithStartWorkflowOptions{
					StartWorkflowOperation: e.client.NewWithStartWorkflowOperation(o, Sums),
					UpdateOptions: client.UpdateWorkflowOptions{
						WorkflowID: e.id, UpdateName: "add", Args: []any{i + 1}, WaitForStage: client.WorkflowUpdateStageCompleted,
					},
				})
				if err == nil {
					err = h.Get(e, &sums[i])
				}
				if err != nil {
					return "", err
				}
			}
			if err := e.end(); err != nil {
				return "", err
			}
			result, err := resultOf(e, e.client.GetWorkflow(e, e.id, ""))
			return fmt.Sprint(sums[0], sums[1], " ", result), err
		}},
	{name: "an update reaches a workflow whose sticky worker was killed", result: "4",
		events: types(tStarted, updateAccepted, updateCompleted, updateAccepted, updateCompleted, signaled, tCompleted),
		run: func(e *env) (string, error) {
			return e.losingWorker(Sums, func() error {
				_, err := e.added(1)
				return err
			}, func() error {
				if _, err := e.added(3); err != nil {
					return err
				}
				return e.end()
			})
		}},
}

func applicationText(err error) string {
	var application *temporal.ApplicationError
	if errors.As(err, &application) {
		return application.Message()
	}
	return fmt.Sprint(err)
}
