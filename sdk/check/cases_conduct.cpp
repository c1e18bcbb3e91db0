// What a plugin must leave alone in the process that it shares.
#include <sys/stat.h>
#include <unistd.h>

#include "cases.h"
#include "host_table.h"
#include "process_state.h"
#include "replies.h"

namespace keelson::check {
namespace {

// A whole life: load, create, start, every method, stop, destroy.
void live(Session& session) {
    const auto instance = session.create_started_local();
    (void)instance->health({});
    for (const MethodReference& method : methods_of(*instance)) {
        instance->call(method, session.sample(method), {}).close_descriptors();
    }
    (void)instance->stop();
    instance->destroy();
}

std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

void signals(Session& session) {
    const auto actions = signal_actions();
    sigset_t blocked_before;
    sigset_t blocked_after;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked_before);
    live(session);
    ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked_after);
    if (const auto changed = changed_signals(actions); !changed.empty()) {
        session.fail("it changed what happens at " + listed(changed));
    }
    for (int number = 1; number < NSIG; ++number) {
        if (::sigismember(&blocked_before, number) == ::sigismember(&blocked_after, number)) continue;
        session.fail("it changed which signals the host's thread blocks");
    }
}

void directory(Session& session) {
    const std::string before = working_directory();
    live(session);
    if (const std::string now = working_directory(); now != before) session.fail("it changed to " + now);
}

void mask(Session& session) {
    const unsigned before = file_mode_mask();
    live(session);
    if (file_mode_mask() != before) session.fail("it changed the file mode creation mask");
}

void locale(Session& session) {
    const std::string before = locale_name();
    live(session);
    if (const std::string now = locale_name(); now != before) session.fail("it changed the locale to " + now);
}

void variables(Session& session) {
    const auto before = environment();
    live(session);
    if (environment() != before) session.fail("it changed environment variables");
}

void standard_descriptors(Session& session) {
    std::vector<std::string> before;
    for (int descriptor = 0; descriptor < 3; ++descriptor) before.push_back(identity_of(descriptor));
    live(session);
    for (int descriptor = 0; descriptor < 3; ++descriptor) {
        if (identity_of(descriptor) == before[static_cast<std::size_t>(descriptor)]) continue;
        session.fail("it closed or replaced descriptor " + std::to_string(descriptor));
    }
}

void output(Session& session) {
    live(session);
    std::fflush(stdout);
    struct stat info {};
    if (::fstat(STDOUT_FILENO, &info) == 0 && info.st_size > 0) {
        session.warn("it wrote " + std::to_string(info.st_size) +
                     " bytes to standard output; use the host's log()");
    }
}

void children(Session& session) {
    live(session);
    if (const std::size_t count = child_processes(); count > 0) {
        session.fail(std::to_string(count) + " child processes are left when it is destroyed");
    }
}

void host_calls(Session& session) {
    live(session);
    for (const std::string& complaint : host_complaints()) session.fail(complaint);
}

}  // namespace

std::vector<Case> conduct_cases() {
    const std::vector<std::string_view> basics = {"lifecycle.stop", "methods.return"};
    return {
        {"conduct.signals", "Signal handlers and masks stay as they are.", basics, signals},
        {"conduct.directory", "The working directory stays as it is.", basics, directory},
        {"conduct.umask", "The file mode creation mask stays as it is.", basics, mask},
        {"conduct.locale", "The locale stays as it is.", basics, locale},
        {"conduct.environment", "Environment variables stay as they are.", basics, variables},
        {"conduct.standard-descriptors", "Standard input, output and error stay open on the same.", basics,
         standard_descriptors},
        {"conduct.output", "Nothing is written to standard output.", basics, output},
        {"conduct.children", "No child processes are left behind.", basics, children},
        {"conduct.host-calls", "What it tells the host has the form that host.h asks for.", basics,
         host_calls},
    };
}

}  // namespace keelson::check
