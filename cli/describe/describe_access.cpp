// Service accounts, roles, bindings and signing requests.
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"
#include "kernel/base/base64.h"
#include "kernel/object/time_format.h"

namespace keelson::cli::describing {
namespace {

struct Free {
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509_REQ* request) const { X509_REQ_free(request); }
};

void write_names(Description& out, const std::string& header, const std::vector<std::string>& names,
                 const std::set<std::string>& known) {
    if (names.empty()) return out.line(0, header + "\t" + std::string(kNone));
    std::string before = header;
    for (const std::string& name : names) {
        out.line(0, before + "\t" + name + (known.contains(name) ? "" : " (not found)"));
        before = std::string(header.size(), ' ');
    }
}

// A rule about one resource, or one name of it, or one path.
struct SimpleRule {
    std::string group, resource, name, url;
    std::vector<std::string> verbs;
    bool has_name = false;

    [[nodiscard]] bool is_about_same(const SimpleRule& other) const {
        return url.empty() && other.url.empty() && group == other.group && resource == other.resource &&
               has_name == other.has_name && name == other.name;
    }
    // The order in which rules are shown.
    [[nodiscard]] std::string key() const {
        return "[" + joined(verbs, " ") + "],[" + group + "],[" + resource + "],[" + name + "],[" + url + "]";
    }
};

std::vector<std::string> texts_of(const Json& list) {
    std::vector<std::string> texts;
    for (const Json& item : list) texts.push_back(text(item));
    return texts;
}

void add_rule(std::vector<SimpleRule>& rules, const SimpleRule& rule) {
    for (SimpleRule& known : rules) {
        if (!known.is_about_same(rule)) continue;
        const std::string& verb = rule.verbs.front();
        if (std::find(known.verbs.begin(), known.verbs.end(), verb) == known.verbs.end())
            known.verbs.push_back(verb);
        return;
    }
    rules.push_back(rule);
}

void add_rules(std::vector<SimpleRule>& rules, const Json& rule) {
    const auto names = texts_of(at(rule, {"resourceNames"}));
    const auto verbs = texts_of(at(rule, {"verbs"}));
    for (const std::string& group : texts_of(at(rule, {"apiGroups"})))
        for (const std::string& resource : texts_of(at(rule, {"resources"})))
            for (const std::string& verb : verbs) {
                if (names.empty()) add_rule(rules, {group, resource, "", "", {verb}});
                for (const std::string& name : names)
                    add_rule(rules, {group, resource, name, "", {verb}, true});
            }
    for (const std::string& url : texts_of(at(rule, {"nonResourceURLs"})))
        for (const std::string& verb : verbs) add_rule(rules, {"", "", "", url, {verb}});
}

void write_rules(Description& out, const Json& all) {
    std::vector<SimpleRule> rules;
    for (const Json& rule : all) add_rules(rules, rule);
    std::stable_sort(rules.begin(), rules.end(), [](const SimpleRule& left, const SimpleRule& right) {
        return left.key() < right.key();
    });
    for (const SimpleRule& rule : rules)
        out.row(1, {rule.group.empty() ? rule.resource : rule.resource + "." + rule.group,
                    "[" + rule.url + "]", "[" + rule.name + "]", "[" + joined(rule.verbs, " ") + "]"});
}

std::string request_status(const Json& request) {
    std::string status;
    for (const Json& condition : at(request, {"status", "conditions"})) {
        const std::string type = text(condition, {"type"});
        if (type == "Approved" || type == "Denied" || type == "Failed")
            status += (status.empty() ? "" : ",") + type;
    }
    if (status.empty()) status = "Pending";
    if (!text(request, {"status", "certificate"}).empty()) status += ",Issued";
    return status;
}

std::vector<std::string> entries_of(X509_NAME* name, int kind) {
    std::vector<std::string> values;
    for (int index = -1; (index = X509_NAME_get_index_by_NID(name, kind, index)) >= 0;) {
        const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index));
        values.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                            static_cast<std::size_t>(ASN1_STRING_length(value)));
    }
    return values;
}

void write_subject(Description& out, const Json& request) {
    const auto pem = base::base64_decode(text(request, {"spec", "request"}));
    if (!pem) return;
    const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())));
    const std::unique_ptr<X509_REQ, Free> parsed(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
    if (!parsed) return;
    X509_NAME* subject = X509_REQ_get_subject_name(parsed.get());
    out.line(0, "Subject:");
    out.field(1, "Common Name", joined(entries_of(subject, NID_commonName), ","));
    out.field(1, "Serial Number", joined(entries_of(subject, NID_serialNumber), ","));
    constexpr std::pair<const char*, int> kLists[] = {
        {"Organization", NID_organizationName}, {"Organizational Unit", NID_organizationalUnitName},
        {"Country", NID_countryName},           {"Locality", NID_localityName},
        {"Province", NID_stateOrProvinceName},  {"StreetAddress", NID_streetAddress},
        {"PostalCode", NID_postalCode}};
    for (const auto& [title, kind] : kLists) {
        std::string before = std::string(title) + ":";
        for (const std::string& value : entries_of(subject, kind)) {
            out.line(1, before + "\t" + value);
            before.clear();
        }
    }
}

}  // namespace

void describe_service_account(const Context& context) {
    const Json& account = context.object;
    Description& out = context.out;
    write_name(out, account);
    write_metadata(out, account);
    std::set<std::string> known;
    std::vector<std::string> tokens;
    if (const auto secrets = context.related.list("secrets", kube::namespace_of(account), {})) {
        for (const Json& secret : at(*secrets, {"items"})) {
            known.insert(kube::name_of(secret));
            const Json& annotations = at(secret, {"metadata", "annotations"});
            if (text(secret, {"type"}) == "kubernetes.io/service-account-token" &&
                text(annotations, {"kubernetes.io/service-account.name"}) == kube::name_of(account))
                tokens.push_back(kube::name_of(secret));
        }
    }
    const auto names = [&account](const char* list) {
        std::vector<std::string> all;
        for (const Json& one : at(account, {list})) all.push_back(text(one, {"name"}));
        return all;
    };
    write_names(out, "Image pull secrets:", names("imagePullSecrets"), known);
    write_names(out, "Mountable secrets: ", names("secrets"), known);
    write_names(out, "Tokens:            ", tokens, known);
    write_events(context);
}

void describe_role(const Context& context) {
    Description& out = context.out;
    out.field(0, "Name", kube::name_of(context.object));
    write_metadata(out, context.object);
    out.line(0, "PolicyRule:");
    out.row(1, {"Resources", "Non-Resource URLs", "Resource Names", "Verbs"});
    out.row(1, {"---------", "-----------------", "--------------", "-----"});
    write_rules(out, at(context.object, {"rules"}));
}

void describe_role_binding(const Context& context) {
    Description& out = context.out;
    out.field(0, "Name", kube::name_of(context.object));
    write_metadata(out, context.object);
    out.line(0, "Role:");
    out.field(1, "Kind", text(context.object, {"roleRef", "kind"}));
    out.field(1, "Name", text(context.object, {"roleRef", "name"}));
    out.line(0, "Subjects:");
    out.row(1, {"Kind", "Name", "Namespace"});
    out.row(1, {"----", "----", "---------"});
    for (const Json& subject : at(context.object, {"subjects"}))
        out.row(1, {text(subject, {"kind"}), text(subject, {"name"}), text(subject, {"namespace"})});
}

void describe_signing_request(const Context& context) {
    const Json& request = context.object;
    Description& out = context.out;
    out.field(0, "Name", kube::name_of(request));
    out.field(0, "Labels", format_labels(at(request, {"metadata", "labels"})));
    out.field(0, "Annotations", format_labels(at(request, {"metadata", "annotations"})));
    out.field(0, "CreationTimestamp", long_time(at(request, {"metadata", "creationTimestamp"})));
    out.field(0, "Requesting User", text(request, {"spec", "username"}));
    const std::string signer = text(request, {"spec", "signerName"});
    if (!signer.empty()) out.field(0, "Signer", signer);
    if (const Json& seconds = at(request, {"spec", "expirationSeconds"}); !seconds.is_null())
        out.field(0, "Requested Duration", object::human_duration(number(seconds)));
    out.field(0, "Status", request_status(request));
    write_subject(out, request);
    write_events(context);
}

}  // namespace keelson::cli::describing
