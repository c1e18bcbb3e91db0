// What a case works with: the plugin, instances of it, and ways to say how it went. Lives in the case's
// process.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "board.h"
#include "documents.h"
#include "local_plugin.h"
#include "options.h"
#include "transport.h"

namespace keelson::check {

// Ends a case at once; thrown by Session::stop_with and caught by Session::run only.
struct CaseEnd {
    Outcome outcome;
    std::string reason;
};

class Session {
  public:
    // `directory` exists, is empty and belongs to this case.
    Session(const Options& options, std::string directory, std::uint64_t seed);

    // Runs the body and puts its outcome on the board.
    void run(const std::function<void(Session&)>& body);

    // Notes a problem and goes on; the case fails, or warns.
    void fail(const std::string& reason) { note(Outcome::fail, reason); }
    void warn(const std::string& reason) { note(Outcome::warn, reason); }
    // fail("where: problem") unless the problem is empty.
    void expect_none(const std::string& where, const std::string& problem);
    [[noreturn]] static void stop_with(Outcome outcome, std::string reason);
    [[noreturn]] static void skip(std::string reason) { stop_with(Outcome::skip, std::move(reason)); }

    // Loaded at the first call.
    [[nodiscard]] LocalPlugin& plugin();
    // A new instance in this process; the case fails when it cannot be made.
    [[nodiscard]] std::unique_ptr<LocalInstance> create_local();
    // A new instance behind the transport that was asked for.
    [[nodiscard]] std::unique_ptr<Transport> create();
    // The same, started with the configuration.
    [[nodiscard]] std::unique_ptr<Transport> create_started();
    // The same for one that must be local.
    [[nodiscard]] std::unique_ptr<LocalInstance> create_started_local();
    // stop and destroy; a stop that fails is noted.
    void end(Transport& instance);

    // Calls every method that the instance has. Skips the case when it has none.
    void for_each_method(Transport& instance, const std::function<void(const MethodReference&)>& visit);
    // The method, or the case is skipped.
    [[nodiscard]] MethodReference require(Transport& instance, std::string_view capability,
                                          std::string_view method);
    [[nodiscard]] std::string sample(const MethodReference& method) const {
        return sample_request(method, directory_);
    }

    [[nodiscard]] const Options& options() const { return options_; }
    [[nodiscard]] const std::string& directory() const { return directory_; }
    [[nodiscard]] const std::string& state_directory() const { return state_directory_; }
    [[nodiscard]] Random& random() { return random_; }

  private:
    [[nodiscard]] std::unique_ptr<Transport> create_isolated();
    void note(Outcome outcome, const std::string& reason);

    const Options& options_;
    std::string directory_;
    std::string state_directory_;
    Random random_;
    std::unique_ptr<LocalPlugin> plugin_;
    Outcome outcome_ = Outcome::pass;
    std::vector<std::string> reasons_;
};

}  // namespace keelson::check
