// Calls of the Kubernetes API.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/http.h"
#include "cli/kube/failures.h"
#include "cli/kube/object.h"

namespace keelson::cli::kube {

using Query = std::vector<std::pair<std::string, std::string>>;

struct ApiCall {
    std::string method = "GET";
    std::string path;  // "/api/v1/pods"
    Query query = {};
    std::string body = {};
    std::string content_type = "application/json";
    std::string accept = "application/json";
};

class Api {
  public:
    Api(Server server, std::chrono::milliseconds patience, std::int64_t verbosity)
        : server_(std::move(server)), patience_(patience), verbosity_(verbosity) {}

    // Refusals are failures in kubectl's words. What the server warns of is told on standard error.
    Result<Answer> send(const ApiCall& call);
    Result<Object> ask(const ApiCall& call);
    // Pieces of the body as they come; no silence is too long unless a timeout was asked for, here or by the
    // user.
    Result<void> stream(const ApiCall& call, const PieceSink& sink,
                        std::chrono::milliseconds patience = std::chrono::milliseconds(0));

    [[nodiscard]] const Server& server() const { return server_; }
    [[nodiscard]] std::chrono::milliseconds patience() const { return patience_; }
    [[nodiscard]] int warnings() const { return warnings_; }

  private:
    Result<Answer> exchange_with(const ApiCall& call, const PieceSink& sink,
                                 std::chrono::milliseconds patience);
    void pass_warnings_on(const Answer& answer);

    Server server_;
    std::chrono::milliseconds patience_;  // 0: any
    std::int64_t verbosity_;
    int warnings_ = 0;
};

// "/path?a=b"
std::string path_with_query(const std::string& path, const Query& query);

}  // namespace keelson::cli::kube
