#include "session.h"

#include <sys/stat.h>

#include <algorithm>

#include "host_table.h"
#include "isolated.h"
#include "replies.h"

namespace keelson::check {

Session::Session(const Options& options, std::string directory, std::uint64_t seed)
    : options_(options),
      directory_(std::move(directory)),
      state_directory_(directory_ + "/state"),
      random_(seed) {
    ::mkdir(state_directory_.c_str(), 0700);
}

void Session::run(const std::function<void(Session&)>& body) {
    try {
        body(*this);
    } catch (const CaseEnd& end) {
        note(end.outcome, end.reason);
    } catch (const std::exception& error) {
        note(Outcome::fail, error.what());
    }
    std::string reason;
    for (const std::string& one : reasons_) reason += (reason.empty() ? "" : "; ") + one;
    board().finish(outcome_, reason);
}

void Session::note(Outcome outcome, const std::string& reason) {
    constexpr std::size_t shown_reasons = 5;
    outcome_ = std::max(outcome_, outcome);
    const bool is_new = std::find(reasons_.begin(), reasons_.end(), reason) == reasons_.end();
    if (!reason.empty() && is_new && reasons_.size() < shown_reasons) reasons_.push_back(reason);
}

void Session::expect_none(const std::string& where, const std::string& problem) {
    if (!problem.empty()) fail(where + ": " + problem);
}

void Session::stop_with(Outcome outcome, std::string reason) {
    throw CaseEnd{outcome, std::move(reason)};
}

LocalPlugin& Session::plugin() {
    if (!plugin_) plugin_ = std::make_unique<LocalPlugin>(options_.plugin);
    return *plugin_;
}

std::unique_ptr<LocalInstance> Session::create_local() {
    return std::make_unique<LocalInstance>(plugin(), full_host_table(state_directory_.c_str()));
}

namespace {

void start_or_fail(Transport& instance, const Options& options) {
    const Answer answer = instance.start(options.configuration);
    if (std::string problem = call_problem(answer); !problem.empty()) {
        Session::stop_with(Outcome::fail, "start: " + problem);
    }
    if (answer.status == KEELSON_OK) return;
    const char* advice = options.is_configured ? "" : "; give the configuration that it needs with --config";
    Session::stop_with(Outcome::fail, "start answered " + describe(answer) + advice);
}

}  // namespace

std::unique_ptr<LocalInstance> Session::create_started_local() {
    auto instance = create_local();
    start_or_fail(*instance, options_);
    return instance;
}

std::unique_ptr<Transport> Session::create() {
    if (!options_.is_isolated) return create_local();
    return create_isolated();
}

// What the host process has to know comes from the manifest, or from the plugin's entry.
std::unique_ptr<Transport> Session::create_isolated() {
    IsolatedPlugin described;
    described.directory = directory_;
    described.state_directory = state_directory_;
    if (options_.manifest) {
        described.id = options_.manifest->id;
        described.version = options_.manifest->version;
    } else {
        const keelson_entry& entry = plugin().entry();
        described.id = entry.id == nullptr ? "" : entry.id;
        described.version = entry.version == nullptr ? "" : entry.version;
    }
    return make_isolated_transport(options_, described);
}

std::unique_ptr<Transport> Session::create_started() {
    auto instance = create();
    start_or_fail(*instance, options_);
    return instance;
}

void Session::end(Transport& instance) {
    const Answer answer = instance.stop();
    expect_none("stop", call_problem(answer));
    if (answer.status != KEELSON_OK) fail("stop answered " + describe(answer));
    instance.destroy();
}

void Session::for_each_method(Transport& instance, const std::function<void(const MethodReference&)>& visit) {
    const auto methods = methods_of(instance);
    if (methods.empty()) skip("it has no method that this kit knows");
    for (const MethodReference& method : methods) visit(method);
}

MethodReference Session::require(Transport& instance, std::string_view capability, std::string_view method) {
    const MethodReference found = method_named(capability, method);
    if (!instance.has(found)) skip("it does not have " + found.name());
    return found;
}

}  // namespace keelson::check
