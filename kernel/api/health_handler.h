// The answers that need no objects: /healthz, /livez, /readyz, /version, /metrics.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/api/chain.h"
#include "kernel/api/exchange.h"
#include "kernel/base/metrics.h"
#include "kernel/base/result.h"

namespace keelson::api {

// Named checks; /healthz and /readyz ask all of them, /livez those that a restart may mend. Added before the
// first request, constant afterwards. A check is called from I/O threads and must not block.
class HealthChecks {
  public:
    enum class Scope : std::uint8_t { ready_and_live, ready_only };
    using Check = std::function<base::Result<void>()>;

    HealthChecks();  // with the check "ping", which always passes
    void add(std::string name, Check check, Scope scope = Scope::ready_and_live);

    struct Outcome {
        std::string name;
        bool passed = true;
        std::string failure;
    };
    [[nodiscard]] std::vector<Outcome> run(bool live_only) const;

  private:
    struct Entry {
        std::string name;
        Check check;
        Scope scope;
    };
    std::vector<Entry> checks_;
};

// Whose behaviour is followed.
inline constexpr std::string_view kubernetes_version = "v1.36.2";

// The version.Info document of /version. `revision` of the source, `build_date` in RFC 3339; either may be
// empty.
struct VersionInfo {
    std::string keelson_version;
    std::string revision;
    std::string build_date;
};
[[nodiscard]] std::string version_document(const VersionInfo& info);
// As the server and its nodes tell it: "v1.36.2+keelson.0.1.0".
[[nodiscard]] std::string git_version(const VersionInfo& info);

class HealthHandler {
  public:
    HealthHandler(const HealthChecks& checks, base::Metrics& metrics, const VersionInfo& version);
    // True when it has answered; false when the path is not one of its own.
    bool handle(Exchange& exchange) const;

  private:
    Response answer_health(const Request& request, std::string_view endpoint, std::string_view check) const;

    const HealthChecks& checks_;
    base::Metrics& metrics_;
    std::string version_document_;
};

}  // namespace keelson::api
