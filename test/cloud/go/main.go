// A program of the official Cloud Ops client (go.temporal.io/cloud-sdk, of protos v0.17.0) against the server: each step is one call
// that must answer what it says; the last line counts them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	accountv1 "go.temporal.io/cloud-sdk/api/account/v1"
	cloudservice "go.temporal.io/cloud-sdk/api/cloudservice/v1"
	identity "go.temporal.io/cloud-sdk/api/identity/v1"
	namespacev1 "go.temporal.io/cloud-sdk/api/namespace/v1"
	operation "go.temporal.io/cloud-sdk/api/operation/v1"
	"go.temporal.io/cloud-sdk/cloudclient"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var steps int

func check(what string, err error) {
	if err != nil {
		fmt.Printf("FAILED %s: %v\n", what, err)
		os.Exit(1)
	}
	steps++
}

func is(what string, good bool) {
	if !good {
		check(what, fmt.Errorf("not as expected"))
	}
}

func refused(what string, err error, code codes.Code) {
	if status.Code(err) != code {
		check(what, fmt.Errorf("answered %v, not %v", err, code))
	}
	steps++
}

func access(role identity.AccountAccess_Role, namespaces map[string]*identity.NamespaceAccess) *identity.Access {
	return &identity.Access{AccountAccess: &identity.AccountAccess{Role: role}, NamespaceAccesses: namespaces}
}

func open(addr, key string) cloudservice.CloudServiceClient {
	client, err := cloudclient.New(cloudclient.Options{HostPort: addr, APIKey: key, AllowInsecure: true})
	if err != nil {
		fmt.Println("FAILED", err)
		os.Exit(1)
	}
	return client.CloudService()
}

func main() {
	addr := flag.String("addr", "", "server")
	key := flag.String("key", "", "API key of an administrator")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cloud := open(*addr, *key)

	who, err := cloud.GetCurrentIdentity(ctx, &cloudservice.GetCurrentIdentityRequest{})
	check("GetCurrentIdentity", err)
	is("the first key", who.PrincipalApiKey.Spec.DisplayName == "first")
	regions, err := cloud.GetRegions(ctx, &cloudservice.GetRegionsRequest{})
	check("GetRegions", err)
	is("one region", len(regions.Regions) == 1)

	made, err := cloud.CreateNamespace(ctx, &cloudservice.CreateNamespaceRequest{Spec: &namespacev1.NamespaceSpec{
		Name:             "go-orders",
		Regions:          []string{regions.Regions[0].Id},
		RetentionDays:    5,
		ApiKeyAuth:       &namespacev1.ApiKeyAuthSpec{Enabled: true},
		SearchAttributes: map[string]namespacev1.NamespaceSpec_SearchAttributeType{"Customer": namespacev1.NamespaceSpec_SEARCH_ATTRIBUTE_TYPE_KEYWORD},
	}})
	check("CreateNamespace", err)
	op, err := cloud.GetAsyncOperation(ctx, &cloudservice.GetAsyncOperationRequest{AsyncOperationId: made.AsyncOperation.Id})
	check("GetAsyncOperation", err)
	is("fulfilled", op.AsyncOperation.State == operation.AsyncOperation_STATE_FULFILLED)
	input, err := op.AsyncOperation.OperationInput.UnmarshalNew()
	check("the operation's input", err)
	is("the request", input.(*cloudservice.CreateNamespaceRequest).Spec.Name == "go-orders")
	ns, err := cloud.GetNamespace(ctx, &cloudservice.GetNamespaceRequest{Namespace: made.Namespace})
	check("GetNamespace", err)
	is("five days", ns.Namespace.Spec.RetentionDays == 5)
	_, err = cloud.RenameCustomSearchAttribute(ctx, &cloudservice.RenameCustomSearchAttributeRequest{
		Namespace: made.Namespace, ExistingCustomSearchAttributeName: "Customer", NewCustomSearchAttributeName: "Buyer",
		ResourceVersion: ns.Namespace.ResourceVersion,
	})
	check("RenameCustomSearchAttribute", err)

	sa, err := cloud.CreateServiceAccount(ctx, &cloudservice.CreateServiceAccountRequest{Spec: &identity.ServiceAccountSpec{
		Name: "go-ci",
		Access: access(identity.AccountAccess_ROLE_READ, map[string]*identity.NamespaceAccess{
			made.Namespace: {Permission: identity.NamespaceAccess_PERMISSION_WRITE},
		}),
	}})
	check("CreateServiceAccount", err)
	created, err := cloud.CreateApiKey(ctx, &cloudservice.CreateApiKeyRequest{Spec: &identity.ApiKeySpec{
		OwnerId: sa.ServiceAccountId, OwnerType: identity.OwnerType_OWNER_TYPE_SERVICE_ACCOUNT, DisplayName: "go",
		ExpiryTime: timestamppb.New(time.Now().Add(time.Hour)),
	}})
	check("CreateApiKey", err)
	account := open(*addr, created.Token)
	who, err = account.GetCurrentIdentity(ctx, &cloudservice.GetCurrentIdentityRequest{})
	check("GetCurrentIdentity of the account", err)
	is("the account", who.GetServiceAccount().GetId() == sa.ServiceAccountId)
	seen, err := account.GetNamespaces(ctx, &cloudservice.GetNamespacesRequest{})
	check("GetNamespaces of the account", err)
	is("its namespace", len(seen.Namespaces) == 1 && seen.Namespaces[0].Namespace == made.Namespace)
	_, err = account.DeleteNamespace(ctx, &cloudservice.DeleteNamespaceRequest{Namespace: made.Namespace, ResourceVersion: ns.Namespace.ResourceVersion})
	refused("DeleteNamespace of the account", err, codes.PermissionDenied)

	user, err := cloud.CreateUser(ctx, &cloudservice.CreateUserRequest{Spec: &identity.UserSpec{
		Email: "go@example.com", Access: access(identity.AccountAccess_ROLE_DEVELOPER, nil),
	}})
	check("CreateUser", err)
	_, err = cloud.SetUserNamespaceAccess(ctx, &cloudservice.SetUserNamespaceAccessRequest{
		UserId: user.UserId, Namespace: made.Namespace, ResourceVersion: "1",
		Access: &identity.NamespaceAccess{Permission: identity.NamespaceAccess_PERMISSION_ADMIN},
	})
	check("SetUserNamespaceAccess", err)
	_, err = cloud.UpdateUser(ctx, &cloudservice.UpdateUserRequest{UserId: user.UserId, ResourceVersion: "1", Spec: &identity.UserSpec{
		Email: "go@example.com", Access: access(identity.AccountAccess_ROLE_READ, nil),
	}})
	refused("UpdateUser of an old version", err, codes.FailedPrecondition)
	_, err = cloud.UpdateAccount(ctx, &cloudservice.UpdateAccountRequest{Spec: &accountv1.AccountSpec{}, ResourceVersion: "none"})
	refused("UpdateAccount of no version", err, codes.FailedPrecondition)
	_, err = cloud.GetUsage(ctx, &cloudservice.GetUsageRequest{})
	refused("GetUsage", err, codes.FailedPrecondition)

	_, err = cloud.DeleteServiceAccount(ctx, &cloudservice.DeleteServiceAccountRequest{ServiceAccountId: sa.ServiceAccountId, ResourceVersion: "1"})
	check("DeleteServiceAccount", err)
	_, err = account.GetRegions(ctx, &cloudservice.GetRegionsRequest{})
	refused("a key without its owner", err, codes.Unauthenticated)
	ns, err = cloud.GetNamespace(ctx, &cloudservice.GetNamespaceRequest{Namespace: made.Namespace})
	check("GetNamespace again", err)
	gone, err := cloud.DeleteNamespace(ctx, &cloudservice.DeleteNamespaceRequest{Namespace: made.Namespace, ResourceVersion: ns.Namespace.ResourceVersion})
	check("DeleteNamespace", err)
	for state := gone.AsyncOperation.State; state != operation.AsyncOperation_STATE_FULFILLED; {
		time.Sleep(100 * time.Millisecond)
		op, err = cloud.GetAsyncOperation(ctx, &cloudservice.GetAsyncOperationRequest{AsyncOperationId: gone.AsyncOperation.Id})
		if err != nil {
			check("GetAsyncOperation of the deletion", err)
		}
		state = op.AsyncOperation.State
	}
	_, err = cloud.GetNamespace(ctx, &cloudservice.GetNamespaceRequest{Namespace: made.Namespace})
	refused("GetNamespace of what is gone", err, codes.NotFound)
	_, err = cloud.DeleteUser(ctx, &cloudservice.DeleteUserRequest{UserId: user.UserId, ResourceVersion: "2"})
	check("DeleteUser", err)
	fmt.Println("ok", steps)
}
