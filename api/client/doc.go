// Package client speaks the native HTTP API of hallpass: for the command line
// and for any Go program that issues, checks and revokes tokens.
//
//	c, err := client.New(client.Config{Server: "http://127.0.0.1:8080", Token: client.Secret(os.Getenv("HALLPASS_TOKEN"))})
//	if err != nil {
//		return err
//	}
//	token, secret, err := c.IssueToken(ctx, "", wire.IssueToken{
//		ID: "thermo-reader",
//		Permissions: &wire.Permissions{Allow: []wire.Grant{
//			{Resource: "/device/thermo1", Actions: []string{"AccessDeviceResources"}},
//		}},
//	})
//	if client.Code(err) == "exists" {
//		…
//	}
//
// Every method takes a context and gives up after Config.Timeout at the
// latest; only Watch and Revocations run until they are told to stop. An answer that refuses is
// a *Problem, with the code that programs act on. What never was an answer
// (no connection, time-out, not hallpass at all) is any other error; after one
// of a change, the change may have happened.
//
// A gateway or service that lets requests through needs less: a Checker, which
// Remote is over HTTP and package embedded in the gateway's own process. Package
// middleware puts one in front of net/http handlers, package grpcauth in front
// of gRPC servers. Holds cut connections that last, when the right to them ends;
// Watcher says how they come to know.
//
// An empty account stands for the bearer's own, which the client asks for
// once. A bearer never prints, follows no redirect, and is sent to the
// configured server alone.
package client
