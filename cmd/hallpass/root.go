package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newRoot returns the whole command tree, made anew for each run.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "hallpass",
		Short: "Issue, check and revoke access tokens on an event-sourced log",
		Long: `hallpass issues access tokens, checks them and revokes them. Every change is a
record in a NATS JetStream stream; every check is answered from memory.

Each flag has an environment twin: --if-revision is HALLPASS_IF_REVISION. The
flag wins. A twin of a flag that may be given several times holds one value a
line.

Commands other than 'serve', 'root', 'receipt', 'node resync', 'keyring make' and
'keyring rotate' speak to a server. Which one, and as whom, is looked for in this
order: --server and --token; HALLPASS_SERVER and HALLPASS_TOKEN; the file that
'hallpass login' wrote; and, where the server is this machine,
./hallpass-data/root-token. Without any, the server is http://127.0.0.1:8080.

Exit codes: 0 done, 1 refused or not possible, 2 a command line that can't be
run, 3 'hallpass check' answered with no.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		newServe(), newAccount(), newToken(), newSession(), newSelf(), newCatalog(), newCheck(), newLeak(), newWatch(), newLogin(), newSeed(), newImport(),
		newRootGroup(), newNode(), newKeyring(), newReceipt(), newReady(), newVersion(), newBench(),
	)
	root.SetOut(os.Stdout)
	root.SetErr(os.Stderr)
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	finish(root)
	return root
}

// finish gives c and everything under it what all commands have: usage errors
// with near names, and the environment twins.
func finish(c *cobra.Command) {
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return flagError(c, err) })
	builtin := c.Name() == "help" || c.Name() == "completion" || c.HasParent() && c.Parent().Name() == "completion"
	switch {
	case c.HasSubCommands() && c.RunE == nil:
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error { return unknownCommand(c, args) }
	case !builtin:
		wrapArgs(c)
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && !builtin {
			f.Usage += " [$" + envName(f.Name) + "]"
		}
	})
	if run := c.RunE; run != nil && !builtin {
		c.RunE = func(c *cobra.Command, args []string) error {
			if err := fromEnv(c.Flags()); err != nil {
				return err
			}
			return run(c, args)
		}
	}
	for _, sub := range c.Commands() {
		finish(sub)
	}
}

// wrapArgs makes a wrong number of arguments a usage error.
func wrapArgs(c *cobra.Command) {
	check := c.Args
	if check == nil {
		check = cobra.NoArgs
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if check(c, args) == nil {
			return nil
		}
		return usagef("it is used as '%s': see '%s --help'", strings.TrimSuffix(c.UseLine(), " [flags]"), c.CommandPath())
	}
}

// unknownCommand answers a group that was called by itself or with a name that
// it doesn't have.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			names = append(names, sub.Name())
		}
	}
	return usagef("there is no command %q in '%s'%s: see '%s --help'",
		args[0], c.CommandPath(), didYouMean(args[0], names), c.CommandPath())
}

// flagError adds near names to cobra's errors about flags.
func flagError(c *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usagef("%w: see '%s --help'", err, c.CommandPath())
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	given := "--" + unknown.GetSpecifiedName()
	if len(unknown.GetSpecifiedShortnames()) > 0 {
		return usagef("'%s' has no flag -%s: see '%s --help'", c.CommandPath(), unknown.GetSpecifiedName(), c.CommandPath())
	}
	return usagef("'%s' has no flag %s%s: see '%s --help'",
		c.CommandPath(), given, didYouMean(given, names), c.CommandPath())
}

// envName is a flag's environment twin.
func envName(flag string) string {
	return "HALLPASS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnv sets the flags that were not given from their environment twins. An
// empty variable counts as none.
func fromEnv(flags *pflag.FlagSet) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		value := os.Getenv(envName(f.Name))
		if f.Changed || f.Name == "help" || value == "" {
			return
		}
		values := []string{value}
		if _, several := f.Value.(pflag.SliceValue); several {
			values = strings.FieldsFunc(value, func(r rune) bool { return r == '\n' })
		}
		for _, v := range values {
			if err := flags.Set(f.Name, v); err != nil {
				errs = append(errs, usagef("%s does not hold what --%s takes (%s)", envName(f.Name), f.Name, f.Value.Type()))
				return
			}
		}
	})
	return errors.Join(errs...)
}

// didYouMean names those of names that s may be a slip of.
func didYouMean(s string, names []string) string {
	var near []string
	for _, n := range names {
		if distance(s, n) <= 2 || len(s) > 2 && strings.HasPrefix(n, s) {
			near = append(near, n)
		}
	}
	slices.Sort(near)
	if len(near) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
}

// distance is Levenshtein's, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
