// keelctl exec and attach
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/kube/command.h"
#include "cli/kube/resources.h"
#include "cli/output.h"
#include "cli/streams/pods.h"
#include "cli/streams/remote_command.h"
#include "cli/streams/stream_commands.h"
#include "cli/streams/terminal.h"

namespace keelson::cli::kube {
namespace {

using streams::CommandStreams;
using streams::CommandTarget;

std::string phase_of(const Object& pod) {
    return text_at(member(pod, "status"), "phase");
}

class Exec : public Command {
  public:
    void add_flags(Flags& flags) override {
        flags.text("c,container", container_, "Which container; otherwise the pod's default or first one");
        flags.flag("i,stdin", has_input_, "The container reads what keelctl reads");
        flags.flag("t,tty", has_terminal_, "The container gets a terminal");
        flags.flag("q,quiet", is_quiet_, "Print only what comes from the container");
        flags.duration("pod-running-timeout", patience_, "How long to wait until a pod runs");
        add_file_flags(flags, files_);
    }

    Result<void> run(Session& session, const Words& words) override {
        std::vector<std::string> names = words.words;
        std::vector<std::string> command;
        if (words.before_dash) {
            command.assign(names.begin() + static_cast<long>(*words.before_dash), names.end());
            names.resize(*words.before_dash);
        }
        if (names.empty() && files_.filenames.empty())
            return fail("pod, type/name or --filename must be specified");
        if (!words.before_dash && names.size() > 1)
            return misused(
                "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead");
        if (command.empty()) return fail("you must specify at least one command for the container");
        const auto name = names.empty() ? name_in_files(session) : Result<std::string>(names.front());
        if (!name) return pass_on(name);
        const auto pods = streams::find_pods(session, *name);
        if (!pods) return pass_on(pods);
        return run_in(session, pods->pods.front(), std::move(command));
    }

  private:
    // TYPE/NAME of the one object in the files.
    Result<std::string> name_in_files(Session& session) {
        const std::vector<std::string> no_words;
        const auto selection = select(session, {no_words, &files_});
        if (!selection) return pass_on(selection);
        if (selection->items.size() != 1) return fail("the files must hold exactly one object to exec into");
        const Item& item = selection->items.front();
        return item.resource->type_text() + "/" + item.name;
    }

    Result<void> run_in(Session& session, const Object& pod, std::vector<std::string> command) {
        const std::string phase = phase_of(pod);
        if (phase == "Succeeded" || phase == "Failed")
            return fail("cannot exec into a container in a completed pod; current phase is " + phase);
        const auto container = streams::pick_container(pod, container_, is_quiet_);
        if (!container) return pass_on(container);
        const CommandTarget target{namespace_of(pod), name_of(pod), *container, std::move(command)};
        const auto api = session.api();
        if (!api) return pass_on(api);
        return talk(**api, target, {has_input_, has_terminal_, is_quiet_});
    }

    std::string container_;
    bool has_input_ = false;
    bool has_terminal_ = false;
    bool is_quiet_ = false;
    std::int64_t patience_ = 60'000'000'000;
    FileFlags files_;
};

class Attach : public Command {
  public:
    void add_flags(Flags& flags) override {
        flags.text("c,container", container_, "Which container; otherwise the pod's default or first one");
        flags.flag("i,stdin", has_input_, "The container reads what keelctl reads");
        flags.flag("t,tty", has_terminal_, "The container gets a terminal");
        flags.flag("q,quiet", is_quiet_, "Print only what comes from the container");
        flags.duration("pod-running-timeout", patience_, "How long to wait until a pod runs");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (words.words.empty()) return fail("at least 1 argument is required for attach");
        if (words.words.size() > 2)
            return misused("expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw " +
                           std::to_string(words.words.size()) + ": " + words.words[2]);
        const std::string name =
            words.words.size() == 2 ? words.words[0] + "/" + words.words[1] : words.words.front();
        const auto pods = streams::find_pods(session, name);
        if (!pods) return pass_on(pods);
        return attach_to(session, pods->pods.front(), container_, {has_input_, has_terminal_, is_quiet_});
    }

  private:
    std::string container_;
    bool has_input_ = false;
    bool has_terminal_ = false;
    bool is_quiet_ = false;
    std::int64_t patience_ = 60'000'000'000;
};

bool container_has(const Object& pod, const std::string& container, const char* what) {
    for (const char* list : {"containers", "initContainers", "ephemeralContainers"})
        for (const Object& one : member(pod, {"spec", list}))
            if (text_at(one, "name") == container) return member(one, what) == true;
    return false;
}

}  // namespace

Result<void> talk(Api& api, const streams::CommandTarget& target, Talk how) {
    if (how.has_terminal && !streams::is_terminal(STDIN_FILENO)) {
        how.has_terminal = false;
        if (!how.is_quiet) warn("Unable to use a TTY - input is not a terminal or the right kind of file");
    }
    if (how.has_terminal && !how.has_input) how.has_terminal = false;
    const CommandStreams streams{.input = how.has_input ? STDIN_FILENO : -1,
                                 .make_input = {},
                                 .output = streams::sink_of(STDOUT_FILENO),
                                 .error = streams::sink_of(STDERR_FILENO),
                                 .has_terminal = how.has_terminal};
    const auto code = streams::run_remote(api, target, streams);
    if (!code) return pass_on(code);
    if (*code == 0) return {};
    return tl::unexpected(whole("command terminated with exit code " + std::to_string(*code), *code));
}

namespace {

// How to come back to a container that goes on, or will run again.
void tell_of_return(const Object& pod, const std::string& container) {
    const std::string again = "using 'keelctl attach " + name_of(pod) + " -c " + container + " -i -t' ";
    for (const Object& one : member(pod, {"spec", "ephemeralContainers"}))
        if (text_at(one, "name") == container) {
            print("Session ended, the ephemeral container will not be restarted but may be reattached " +
                  again + "if it is still running\n");
            return;
        }
    if (text_at(member(pod, "spec"), "restartPolicy") == "Always")
        print("Session ended, resume " + again + "command when the pod is running\n");
}

}  // namespace

Result<void> attach_to(Session& session, const Object& pod, const std::string& wanted, Talk how) {
    const std::string phase = phase_of(pod);
    if (phase == "Succeeded" || phase == "Failed")
        return fail("cannot attach a container in a completed pod; current phase is " + phase);
    const auto container = streams::pick_container(pod, wanted, how.is_quiet);
    if (!container) return pass_on(container);
    const auto all = streams::all_containers(pod);
    if (std::find(all.begin(), all.end(), *container) == all.end())
        return fail("cannot attach to the container: container " + *container + " not found in pod " +
                    name_of(pod));
    if (how.has_terminal && !container_has(pod, *container, "tty")) {
        how.has_terminal = false;
        if (!how.is_quiet)
            warn("error: Unable to use a TTY - container " + *container + " did not allocate one");
    }
    // A container's terminal is spoken to as one, whatever was asked for.
    if (how.has_input && container_has(pod, *container, "tty")) how.has_terminal = true;
    if (!how.is_quiet) {
        warn(
            "All commands and output from this session will be recorded in container logs, including "
            "credentials and sensitive information passed through the command prompt.");
        warn("If you don't see a command prompt, try pressing enter.");
    }
    const auto api = session.api();
    if (!api) return pass_on(api);
    auto done = talk(**api, {namespace_of(pod), name_of(pod), *container, {}}, how);
    if (done && !how.is_quiet && how.has_input && how.has_terminal && streams::is_terminal(STDIN_FILENO))
        tell_of_return(pod, *container);
    return done;
}

void add_exec_commands(Registry& registry) {
    registry.add<Exec>("exec", "Troubleshooting and Debugging Commands",
                       "(POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...]",
                       "Run a command in a container",
                       "  keelctl exec web -- date\n  keelctl exec web -it -- sh");
    registry.add<Attach>(
        "attach", "Troubleshooting and Debugging Commands", "(POD | TYPE/NAME) -c CONTAINER [options]",
        "Join the input and output of a running container", "  keelctl attach web -c web -i -t");
}

}  // namespace keelson::cli::kube
