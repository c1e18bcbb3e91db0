// What a command works with: the server that the line and the kubeconfig mean. Everything is read when it is
// first needed.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/kube/api.h"
#include "cli/kube/discovery.h"
#include "cli/kube/globals.h"
#include "cli/kube/kubeconfig.h"

namespace keelson::cli::kube {

class Session {
  public:
    explicit Session(Globals globals) : globals_(std::move(globals)) {}

    [[nodiscard]] const Globals& globals() const { return globals_; }
    Result<Api*> api();
    Result<const Discovery*> discovery();
    // Of the line, else of the context, else "default".
    Result<std::string> namespace_name();
    // Whether the line names one, so that files may not name another.
    [[nodiscard]] bool is_namespace_given() const { return !globals_.namespace_name.empty(); }
    [[nodiscard]] int warnings() const { return api_ ? api_->warnings() : 0; }

  private:
    Result<const Connection*> connection();

    Globals globals_;
    std::optional<Connection> connection_;
    std::unique_ptr<Api> api_;
    std::optional<Discovery> discovery_;
};

}  // namespace keelson::cli::kube
