// Who is it? Asks the plugins that know credentials (capability keelson.auth.authenticator/0), and remembers
// what they answered.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/access/authentication.h"
#include "kernel/access/verdict_cache.h"
#include "kernel/base/clock.h"
#include "kernel/plugin/plugin.h"

namespace keelson::access {

inline constexpr std::string_view authenticator_capability = "keelson.auth.authenticator/0";

// The plugins that have a capability now, in the order in which they are to be asked. Called from any thread.
using PluginSource = std::function<std::vector<std::shared_ptr<plugin::Plugin>>()>;

struct PluginAuthenticatorSettings {
    // What the API server is called in tokens; passed to the plugins, and what they answer must hold one.
    std::vector<std::string> audiences;
    // Plugins say how long their answers may be kept; these are the bounds. A revoked token is good for that
    // long at most.
    base::Duration maximum_token_age = std::chrono::seconds(60);
    base::Duration maximum_certificate_age = std::chrono::seconds(300);
    std::size_t cache_entries = 10'000;
    std::chrono::milliseconds call_timeout{5000};  // of one plugin
    // Called for every request with a token whose holder should have renewed it; any thread. May be empty.
    std::function<void()> stale_token;
};

// A credential goes to the plugins in order until one knows it, or says that it is bad. What a plugin fails
// to answer the next one is asked; when nobody knows the credential then, it is unauthorized, as with
// Kubernetes' webhook authenticators, and nothing is remembered. Callers with the same unknown credential
// wait for one question.
//
// The certificate is asked about first. One that the transport could not verify is refused here.
class PluginAuthenticator final : public Authenticator {
  public:
    PluginAuthenticator(PluginSource plugins, const base::Clock& clock, PluginAuthenticatorSettings settings);

    base::Task<Answer> authenticate(const Credentials& credentials) override;
    // When a token is stale, as plugins say in Identity.extra; it is taken out here.
    static constexpr std::string_view warn_after_extra = "authentication.keelson.dev/warn-after";
    // Forgets everything: the plugins are others now. Answers that are under way still reach those who wait
    // for them, and are not kept.
    void invalidate();

  private:
    struct Question {
        base::Sha256Digest key{};
        std::string request;  // a JSON document
        std::vector<std::string> audiences;
        base::Duration maximum_age{};
    };
    struct Verdict {
        Answer answer;
        base::Duration keep{};  // zero: not at all
    };
    class Flight;
    struct Place;
    struct Opinion;

    Question question_of(const ClientCertificate& certificate,
                         const std::vector<std::string>& audiences) const;
    Question question_of(const std::string& token, const std::vector<std::string>& audiences) const;
    base::Task<Answer> find_out(const Credentials& credentials);
    void note_age(Identity& identity) const;
    base::Task<Answer> ask(Question question);
    base::Task<Verdict> ask_plugins(const Question& question);
    static Opinion read_reply(const std::string& body, const Question& question);
    Place take_place(const base::Sha256Digest& key);
    void land(const std::shared_ptr<Flight>& flight, const Question& question, const Verdict& verdict);
    void report(const std::string& plugin, const base::Status& failure);

    PluginSource plugins_;
    const base::Clock& clock_;
    PluginAuthenticatorSettings settings_;

    std::mutex mutex_;
    std::uint64_t generation_ = 0;  // counts invalidations
    VerdictCache cache_;
    std::map<base::Sha256Digest, std::weak_ptr<Flight>> flights_;
    std::map<std::string, base::MonotonicTime> quiet_until_;  // when a plugin's failure is logged again
};

}  // namespace keelson::access
