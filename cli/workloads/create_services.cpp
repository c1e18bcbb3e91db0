// keelctl create service, ingress
#include <nlohmann/json.hpp>

#include "cli/workloads/command_groups.h"
#include "cli/workloads/generator.h"

namespace keelson::cli::kube {
namespace {

// PORT or PORT:TARGET, where the target may be a name.
Result<Object> read_tcp(const std::string& text) {
    const std::size_t colon = text.find(':');
    const Object port = number_or_text(text.substr(0, colon));
    if (!port.is_number())
        return fail("invalid port format, port must be a number or port:targetPort: " + text);
    const Object target = colon == std::string::npos ? port : number_or_text(text.substr(colon + 1));
    std::string name = text;
    if (colon != std::string::npos) name[colon] = '-';
    return Object{{"name", name}, {"port", port}, {"protocol", "TCP"}, {"targetPort", target}};
}

class CreateService : public NamedGenerator {
  public:
    explicit CreateService(std::string type) : type_(std::move(type)) {}

  private:
    void add_own_flags(Flags& flags) override {
        flags.list("tcp", ports_, "Ports: PORT or PORT:TARGET");
        if (type_ == "ClusterIP") flags.text("clusterip", address_, "The address; None: only a name");
        if (type_ == "NodePort") flags.number("node-port", node_port_, "The port on every node");
        if (type_ == "ExternalName")
            flags.text("external-name", external_name_, "The DNS name that the service stands for");
    }

    Result<Object> make_named(Session&, const std::string& name) override {
        if (type_ == "ExternalName")
            if (auto given = require({"external-name"}); !given) return pass_on(given);
        const bool is_headless = address_ == "None";
        if (ports_.empty() && type_ != "ExternalName" && !is_headless)
            return fail("at least one tcp port specifier must be provided");
        Object service = new_object("v1", "Service", name);
        const Object labels{{"app", name}};
        service["metadata"]["labels"] = labels;
        Object& spec = service["spec"];
        spec = {{"type", type_}, {"selector", labels}};
        for (const std::string& text : ports_) {
            auto port = read_tcp(text);
            if (!port) return pass_on(port);
            if (node_port_ > 0) (*port)["nodePort"] = node_port_;
            spec["ports"].push_back(*port);
        }
        if (!address_.empty()) spec["clusterIP"] = address_;
        if (!external_name_.empty()) spec["externalName"] = external_name_;
        service["status"] = {{"loadBalancer", Object::object()}};
        return service;
    }

    std::string type_;
    std::vector<std::string> ports_;
    std::string address_, external_name_;
    std::int64_t node_port_ = 0;
};

// svc:port, where the port is a number or a name.
Result<Object> read_backend(const std::string& text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == text.size())
        return fail("backend " + text + " should be in form service:port");
    const Object port = number_or_text(text.substr(colon + 1));
    return Object{
        {"service",
         {{"name", text.substr(0, colon)}, {"port", {{port.is_number() ? "number" : "name", port}}}}}};
}

class CreateIngress final : public NamedGenerator {
    void add_own_flags(Flags& flags) override {
        flags.text("class", class_, "The ingress class");
        flags.array("rule", rules_,
                    "HOST/PATH=SERVICE:PORT[,tls=SECRET]; a path with * at its end: all below it");
        flags.text("default-backend", fallback_, "SERVICE:PORT for all that no rule is for");
        flags.array("annotation", annotations_, "An annotation, NAME=VALUE");
    }

    Result<Object> make_named(Session&, const std::string& name) override {
        if (rules_.empty() && fallback_.empty())
            return fail(
                "not enough information provided: every ingress has to either specify a default-backend "
                "(which catches all traffic) or a list of rules (which catch specific paths)");
        Object ingress = new_object("networking.k8s.io/v1", "Ingress", name);
        for (const std::string& annotation : annotations_) {
            const std::size_t equals = annotation.find('=');
            if (equals == std::string::npos)
                return fail("annotation " + annotation + " is invalid and should be in format key=[value]");
            ingress["metadata"]["annotations"][annotation.substr(0, equals)] = annotation.substr(equals + 1);
        }
        Object& spec = ingress["spec"];
        spec = Object::object();
        if (!class_.empty()) spec["ingressClassName"] = class_;
        if (!fallback_.empty()) {
            const auto backend = read_backend(fallback_);
            if (!backend) return pass_on(backend);
            spec["defaultBackend"] = *backend;
        }
        for (const std::string& rule : rules_)
            if (auto added = add_rule(spec, rule); !added) return pass_on(added);
        ingress["status"] = {{"loadBalancer", Object::object()}};
        return ingress;
    }

    static Result<void> add_rule(Object& spec, const std::string& text) {
        const std::size_t comma = text.find(',');
        const std::string rule = text.substr(0, comma);
        const std::size_t slash = rule.find('/');
        const std::size_t equals = rule.find('=', slash == std::string::npos ? 0 : slash);
        if (slash == std::string::npos || equals == std::string::npos)
            return fail("rule " + text +
                        " is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]");
        const std::string host = rule.substr(0, slash);
        std::string path = rule.substr(slash, equals - slash);
        const auto backend = read_backend(rule.substr(equals + 1));
        if (!backend) return pass_on(backend);
        const bool is_prefix = path.ends_with('*');
        if (is_prefix) path.pop_back();
        const Object entry{
            {"backend", *backend}, {"path", path}, {"pathType", is_prefix ? "Prefix" : "Exact"}};
        rule_of(spec, host)["http"]["paths"].push_back(entry);
        if (comma != std::string::npos) return add_tls(spec, host, text.substr(comma + 1));
        return {};
    }

    // Rules of one host are one.
    static Object& rule_of(Object& spec, const std::string& host) {
        for (Object& rule : spec["rules"])
            if (text_at(rule, "host") == host) return rule;
        Object rule = Object::object();
        if (!host.empty()) rule["host"] = host;
        spec["rules"].push_back(rule);
        return spec["rules"].back();
    }

    static Result<void> add_tls(Object& spec, const std::string& host, const std::string& option) {
        if (option != "tls" && !option.starts_with("tls="))
            return fail("rule option " + option + " is invalid and should be in format tls[=secret]");
        const std::string secret = option == "tls" ? "" : option.substr(4);
        for (Object& one : spec["tls"])
            if (text_at(one, "secretName") == secret) {
                one["hosts"].push_back(host);
                return {};
            }
        Object one = Object::object();
        if (!host.empty()) one["hosts"] = {host};
        if (!secret.empty()) one["secretName"] = secret;
        spec["tls"].push_back(one);
        return {};
    }

    std::string class_, fallback_;
    std::vector<std::string> rules_, annotations_;
};

}  // namespace

void add_create_services(Registry& registry) {
    constexpr std::pair<const char*, const char*> kTypes[] = {{"clusterip", "ClusterIP"},
                                                              {"externalname", "ExternalName"},
                                                              {"loadbalancer", "LoadBalancer"},
                                                              {"nodeport", "NodePort"}};
    const std::string group = "create service";
    registry.add({group, "", "[flags]", "A service, of one of the types", "", {}});
    for (const auto& [name, type] : kTypes)
        registry.add({group + " " + name, "", "NAME [--tcp=<port>:<targetPort>] [options]",
                      std::string("A service of the type ") + type, "",
                      [type = std::string(type)] { return std::make_unique<CreateService>(type); }});
    registry.add_alias("create svc", group);
    for (const auto& [name, type] : kTypes)
        registry.add_alias("create svc " + std::string(name), group + " " + name);
    registry.add<CreateIngress>(
        "create ingress", "", "NAME --rule=host/path=service:port[,tls[=secret]] [options]",
        "A way in for HTTP", "  keelctl create ingress web --rule='example.com/*=web:80,tls=web-cert'");
    registry.add_alias("create ing", "create ingress");
}

}  // namespace keelson::cli::kube
