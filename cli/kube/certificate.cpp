// keelctl certificate approve, certificate deny
#include <nlohmann/json.hpp>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/writing.h"
#include "cli/output.h"
#include "kernel/object/time_format.h"

namespace keelson::cli::kube {
namespace {

constexpr int kMostConflicts = 10;

// What is decided, and its opposite, which rules it out. The reasons are those that clients look for.
struct Decision {
    const char* type;
    const char* opposite;
    const char* reason;
    const char* message;
    const char* done;
};
constexpr Decision kApprove{"Approved", "Denied", "KubectlApprove",
                            "This CSR was approved by keelctl certificate approve.", "approved"};
constexpr Decision kDeny{"Denied", "Approved", "KubectlDeny",
                         "This CSR was denied by keelctl certificate deny.", "denied"};

template <const Decision& decision>
class Decide : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_print_flags(flags, print_);
        flags.flag("force", is_forced_, "Send it also when the request has the condition already");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (words.words.empty() && files_.filenames.empty() && files_.kustomize.empty())
            return fail("one or more CSRs must be specified as <name> or -f <filename>");
        if (auto good = check_format(print_); !good) return good;
        std::vector<std::string> names;
        for (const std::string& word : words.words)
            names.push_back(word.find('/') == std::string::npos ? "certificatesigningrequests/" + word
                                                                : word);
        const auto api = session.api();
        if (!api) return pass_on(api);
        bool has_any = false;
        auto done = for_each_object(session, {names, &files_}, [&](Item& item) {
            has_any = true;
            return decide(**api, item);
        });
        if (done && !has_any) print("No resources found\n");
        return done;
    }

  private:
    Result<void> decide(Api& api, Item& item) const {
        if (item.resource->kind != "CertificateSigningRequest" ||
            item.resource->group != "certificates.k8s.io")
            return fail("can only handle CertificateSigningRequest.certificates.k8s.io objects, got " +
                        item.resource->kind +
                        (item.resource->group.empty() ? "" : "." + item.resource->group));
        for (int conflicts = 0;; ++conflicts) {
            const auto is_changed = add_condition(item.object);
            if (!is_changed) return pass_on(is_changed);
            if (!*is_changed && !is_forced_) break;
            auto sent = replace_item(api, item, {}, "approval");
            if (sent) break;
            if (!is_refused_as(sent.error(), "Conflict") || conflicts == kMostConflicts) return sent;
            auto now = api.ask({.path = item.path()});
            if (!now) return pass_on(now);
            item.object = std::move(*now);
        }
        return print_change(print_, item, decision.done);
    }

    // False when it is there already.
    static Result<bool> add_condition(Object& request) {
        bool is_there = false;
        for (const Object& condition : member(request, {"status", "conditions"})) {
            const std::string type = text_at(condition, "type");
            if (type == decision.opposite)
                return fail("certificate signing request \"" + name_of(request) + "\" is already " + type);
            is_there |= type == decision.type;
        }
        if (is_there) return false;
        const std::string now = object::format_time(
            object::instant_of(base::WallTime(std::chrono::system_clock::now().time_since_epoch())));
        request["status"]["conditions"].push_back({{"type", decision.type},
                                                   {"status", "True"},
                                                   {"reason", decision.reason},
                                                   {"message", decision.message},
                                                   {"lastUpdateTime", now}});
        return true;
    }

    FileFlags files_;
    PrintFlags print_;
    bool is_forced_ = false;
};

}  // namespace

void add_certificate_commands(Registry& registry) {
    registry.add({"certificate", "Cluster Management Commands", "SUBCOMMAND [options]",
                  "Decide on requests for certificates", "", nullptr});
    registry.add<Decide<kApprove>>("certificate approve", "", "(-f FILENAME | NAME) [options]",
                                   "Let the signer issue what is asked for",
                                   "  keelctl certificate approve node-csr-a");
    registry.add<Decide<kDeny>>("certificate deny", "", "(-f FILENAME | NAME) [options]",
                                "Refuse what is asked for, for good",
                                "  keelctl certificate deny node-csr-a");
}

}  // namespace keelson::cli::kube
