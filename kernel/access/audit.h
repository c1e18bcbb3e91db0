// The audit log: one JSON line (audit.k8s.io/v1 Event) a stage of a request, to a file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/access/identity.h"
#include "kernel/base/executor.h"
#include "kernel/base/result.h"

namespace keelson::access {

enum class AuditLevel : std::uint8_t { none, metadata, request, request_response };
enum class AuditStage : std::uint8_t { request_received, response_started, response_complete, panic };

// An audit.k8s.io/v1 Policy: the first rule that matches decides the level; no rule, no event.
struct AuditPolicy {
    struct Resources {
        std::string group;
        std::vector<std::string> resources;       // empty: all; "pods/status", "*", "*/status", "pods/*"
        std::vector<std::string> resource_names;  // empty: all
    };
    // Empty lists do not restrict.
    struct Rule {
        AuditLevel level = AuditLevel::none;
        std::vector<std::string> users;
        std::vector<std::string> user_groups;
        std::vector<std::string> verbs;
        std::vector<std::string> namespaces;  // "" stands for cluster-scoped
        std::vector<Resources> resources;
        std::vector<std::string> non_resource_urls;
        std::vector<AuditStage> omit_stages;
    };
    std::vector<Rule> rules;
    std::vector<AuditStage> omit_stages;
};

// Reads a Policy document (YAML). Fails naming the line.
[[nodiscard]] base::Result<AuditPolicy> parse_audit_policy(const std::string& yaml);

// What is known of a request, filled as it goes on.
struct AuditRecord {
    std::string audit_id;
    std::string request_uri;
    Attributes attributes;  // the user is the caller's own identity
    std::optional<Identity> impersonated;
    std::string source_address;  // without port
    std::string user_agent;
    base::WallTime received{};
    int response_code = 0;
    std::string response_status;  // JSON of a Status when the answer is a failure; may be empty
    std::string request_object;   // JSON; logged from level request on
    std::string response_object;  // JSON; logged at level request_response
    std::vector<std::pair<std::string, std::string>> annotations;
    std::string trace_parent;  // logged as annotation
};

struct AuditStatistics {
    std::uint64_t written = 0;
    std::uint64_t dropped = 0;  // the queue was full, or the file could not be written
};

// Thread-safe. Events wait in a bounded queue for the pool of blocking calls; what does not fit is dropped
// and counted, a request never waits for the log.
class AuditLog {
  public:
    // Opens the file for appending (mode 0600).
    static base::Result<std::shared_ptr<AuditLog>> open(const std::string& path, AuditPolicy policy,
                                                        base::Executor& executor,
                                                        std::size_t queue_limit = 10'000);
    ~AuditLog();  // writes what waits

    [[nodiscard]] AuditLevel level(const Attributes& attributes) const;
    void log(AuditStage stage, const AuditRecord& record);
    // Opens the path again, after a rotation.
    base::Result<void> reopen();
    [[nodiscard]] AuditStatistics statistics() const;

  private:
    struct State;
    explicit AuditLog(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

}  // namespace keelson::access
