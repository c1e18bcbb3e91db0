// The schemas beside the C headers and the wrapper's structs: the same methods, fields and rules.
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "keelson/auth.hpp"
#include "keelson/capabilities.h"
#include "keelson/ingress.hpp"
#include "keelson/network.hpp"
#include "keelson/runtime.hpp"
#include "keelson/volume.hpp"

namespace keelson {
namespace {

using Adapter = valijson::adapters::NlohmannJsonAdapter;

const Json& schema_file(const std::string& name) {
    static std::map<std::string, Json> files;
    const auto [file, is_new] = files.try_emplace(name);
    if (is_new) {
        std::ifstream stream(std::string(KEELSON_SDK_DIR "/schema/") + name + ".json");
        file->second = Json::parse(stream, nullptr, false);
    }
    return file->second;
}

// What is wrong with the document, or nothing.
std::string problems(const Json& schema_document, const Json& document) {
    valijson::Schema schema;
    valijson::SchemaParser().populateSchema(Adapter(schema_document), schema);
    valijson::ValidationResults results;
    if (valijson::Validator().validate(schema, Adapter(document), &results)) return {};
    std::string text = document.dump();
    for (const auto& error : results) text += "\n" + error.description;
    return text;
}

// Fills a struct with values that its schema allows, and notes fields that the schema does not have.
class Filler {
  public:
    Filler(const Json& schema, bool with_optional) : schema_(schema), with_optional_(with_optional) {}

    template <typename T>
    Filler& required(const char* name, T& member) {
        EXPECT_TRUE(needs(name)) << name << " is not required by the schema " << schema_;
        fill(member, property(name));
        return *this;
    }
    template <typename T>
    Filler& optional(const char* name, T& member) {
        EXPECT_FALSE(needs(name)) << name << " is required by the schema " << schema_;
        const Json& found = property(name);
        if (with_optional_) fill(member, found);
        return *this;
    }
    template <typename T>
    Filler& defaulted(const char* name, T& member) {
        return optional(name, member);
    }

    template <typename T>
    void fill(T& value, const Json& schema) const {
        if constexpr (detail::IsDocument<T>::value) {
            Filler inner(schema, with_optional_);
            T::keelson_fields(value, inner);
            inner.check_all_known();
        } else if constexpr (detail::IsOptional<T>::value) {
            fill(value.emplace(), schema);
        } else if constexpr (detail::IsList<T>::value) {
            fill(value.emplace_back(), schema.at("items"));
        } else if constexpr (detail::IsMap<T>::value) {
            fill(value["key"], schema.at("additionalProperties"));
        } else if constexpr (std::is_same_v<T, Json>) {
            value = Json::object();
        } else if constexpr (std::is_same_v<T, std::string>) {
            EXPECT_EQ(schema.at("type"), "string");
            value = schema.contains("enum") ? schema["enum"][0].get<std::string>() : "text";
            if (schema.contains("format")) value = "2026-01-02T03:04:05Z";
        } else if constexpr (std::is_same_v<T, bool>) {
            EXPECT_EQ(schema.at("type"), "boolean");
            value = with_optional_;
        } else {
            EXPECT_EQ(schema.at("type"), "integer");
            value = 1;
        }
    }

    // Whether the struct has all that the schema has.
    void check_all_known() const {
        const Json known = properties();
        for (const auto& [name, ignored] : known.items())
            EXPECT_EQ(names_.count(name), 1U) << "the struct lacks " << name << " of " << schema_;
    }

  private:
    [[nodiscard]] Json properties() const { return schema_.value("properties", Json::object()); }
    const Json& property(const char* name) {
        names_.insert(name);
        EXPECT_TRUE(properties().contains(name)) << "the schema lacks " << name << ": " << schema_;
        return schema_.at("properties").at(name);
    }
    [[nodiscard]] bool needs(const char* name) const {
        const Json list = schema_.value("required", Json::array());
        return std::find(list.begin(), list.end(), name) != list.end();
    }

    const Json& schema_;
    bool with_optional_;
    std::set<std::string> names_;
};

// Where a schema has alternatives the document follows the first: it gets those fields from the full one, and
// loses those that exclude them.
void choose_first(const Json& schema, const Json& full, Json& document) {
    for (std::size_t at = 0; document.is_array() && at < document.size(); ++at)
        choose_first(schema.at("items"), full[at], document[at]);
    if (!document.is_object()) return;
    const Json exclusive = schema.value("oneOf", Json::array());
    for (const Json& alternative : exclusive)
        for (const Json& name : alternative.value("required", Json::array()))
            document.erase(name.get<std::string>());
    const Json alternatives = exclusive.empty() ? schema.value("anyOf", Json::array()) : exclusive;
    if (!alternatives.empty())
        for (const Json& name : alternatives[0].value("required", Json::array()))
            document[name.get<std::string>()] = full[name.get<std::string>()];
    const Json properties = schema.value("properties", Json::object());
    for (auto& [name, member] : document.items())
        if (properties.contains(name)) choose_first(properties[name], full[name], member);
}

template <typename T>
Json filled(const Json& schema, bool with_optional) {
    T value{};
    Filler(schema, with_optional).fill(value, schema);
    return value;
}

// The struct and its schema agree: full and least documents satisfy it, and both refuse one without a
// required field.
template <typename T>
void check_document(const Json& schema) {
    const Json all = filled<T>(schema, true);
    Json full = all;
    Json least = filled<T>(schema, false);
    choose_first(schema, all, full);
    choose_first(schema, all, least);
    EXPECT_EQ(problems(schema, full), "");
    EXPECT_EQ(problems(schema, least), "");
    EXPECT_EQ(Json(read_as<T>(full)), full);
    for (const Json& required : schema.value("required", Json::array())) {
        Json broken = full;
        broken.erase(required.get<std::string>());
        EXPECT_NE(problems(schema, broken), "") << required;
        try {
            static_cast<void>(read_as<T>(broken));
            ADD_FAILURE() << required;
        } catch (const Error& error) {
            EXPECT_EQ(error.field(), required.get<std::string>());
        }
    }
    Json future = full;
    future["fieldOfTheFuture"] = 1;
    EXPECT_EQ(problems(schema, future), "");
}

template <typename Slot>
void check_method(const char* file, const char* id) {
    SCOPED_TRACE(std::string(id) + " " + Slot::name);
    const Json& method = schema_file(file).at("capabilities").at(id).at(Slot::name);
    check_document<typename Slot::Request>(method.at("request"));
    check_document<typename Slot::Reply>(method.at("reply"));
}

#define CHECK_METHOD(methods, name) check_method<methods::name>(file, id);
#define CHECK_CAPABILITY(case_name, file_name, identifier, LIST, methods) \
    TEST(SchemasAndStructs, case_name) {                                  \
        const char* file = file_name;                                     \
        const char* id = identifier;                                      \
        LIST(CHECK_METHOD, methods)                                       \
    }

CHECK_CAPABILITY(Handover, "handover", KEELSON_HANDOVER, KEELSON_HANDOVER_METHODS, detail::handover)
CHECK_CAPABILITY(Authenticator, "auth", KEELSON_AUTHENTICATOR, KEELSON_AUTHENTICATOR_METHODS,
                 authentication::methods)
CHECK_CAPABILITY(Authorizer, "auth", KEELSON_AUTHORIZER, KEELSON_AUTHORIZER_METHODS, authorization::methods)
CHECK_CAPABILITY(TokenIssuer, "auth", KEELSON_TOKEN_ISSUER, KEELSON_TOKEN_ISSUER_METHODS, token::methods)
CHECK_CAPABILITY(Volume, "volume", KEELSON_VOLUME, KEELSON_VOLUME_METHODS, volume::methods)
CHECK_CAPABILITY(Snapshot, "volume", KEELSON_VOLUME_SNAPSHOT, KEELSON_VOLUME_SNAPSHOT_METHODS,
                 snapshot::methods)
CHECK_CAPABILITY(PodNetwork, "network", KEELSON_POD_NETWORK, KEELSON_POD_NETWORK_METHODS,
                 pod_network::methods)
CHECK_CAPABILITY(ServiceProxy, "network", KEELSON_SERVICE_PROXY, KEELSON_SERVICE_PROXY_METHODS,
                 proxy::methods)
CHECK_CAPABILITY(Dns, "network", KEELSON_DNS, KEELSON_DNS_METHODS, dns::methods)
CHECK_CAPABILITY(Runtime, "runtime", KEELSON_RUNTIME, KEELSON_RUNTIME_METHODS, runtime::methods)
CHECK_CAPABILITY(Images, "runtime", KEELSON_IMAGES, KEELSON_IMAGES_METHODS, images::methods)
CHECK_CAPABILITY(Ingress, "ingress", KEELSON_INGRESS, KEELSON_INGRESS_METHODS, ingress::methods)
CHECK_CAPABILITY(LoadBalancer, "ingress", KEELSON_LOAD_BALANCER, KEELSON_LOAD_BALANCER_METHODS,
                 load_balancer::methods)

TEST(SchemasAndStructs, Objects) {
    const Json& methods = schema_file("host").at("capabilities").at(KEELSON_HOST_OBJECTS);
    EXPECT_EQ(methods.size(), 3U);
    check_document<objects::Get>(methods.at("get").at("request"));
    check_document<objects::List>(methods.at("list").at("request"));
    check_document<objects::Listed>(methods.at("list").at("reply"));
    check_document<objects::Watch>(methods.at("watch").at("request"));
    check_document<objects::Changes>(methods.at("watch").at("reply"));
}

TEST(Schemas, HaveTheMethodsOfTheHeadersAndNoOthers) {
    std::map<std::string, std::size_t> count_of_file;
    for (const keelson_capability_info& capability : keelson_capability_list) {
        SCOPED_TRACE(capability.id);
        const Json& file = schema_file(capability.schema);
        ASSERT_TRUE(file.is_object());
        const Json described = file["capabilities"].value(capability.id, Json::object());
        EXPECT_EQ(described.size(), capability.method_count);
        for (std::size_t at = 0; at < capability.method_count; ++at) {
            const Json method = described.value(capability.methods[at].name, Json::object());
            EXPECT_TRUE(method.contains("request")) << capability.methods[at].name;
            EXPECT_TRUE(method.contains("reply")) << capability.methods[at].name;
        }
        ++count_of_file[capability.schema];
    }
    for (const auto& [name, count] : count_of_file)
        EXPECT_EQ(schema_file(name)["capabilities"].size(), count) << name;
}

TEST(Schemas, AuthenticationNeedsExactlyOneCredential) {
    const Json& request =
        schema_file("auth")["capabilities"][KEELSON_AUTHENTICATOR]["authenticate"]["request"];
    EXPECT_NE(problems(request, {{"audiences", Json::array()}}), "");
    EXPECT_EQ(problems(request, {{"audiences", Json::array()}, {"token", "t"}}), "");
}

Json manifest() {
    return {{"id", "com.example.disk"},
            {"name", "disk"},
            {"kind", "volume"},
            {"version", "1.2.3"},
            {"abi", {{"minimum", 1}, {"maximum", 1}}},
            {"capabilities", {"keelson.volume/0"}}};
}

TEST(Manifest, TakesEveryField) {
    Json full = manifest();
    full.update({{"library", "disk.so"},
                 {"description", "A disk"},
                 {"sha256", std::string(64, 'a')},
                 {"requires", {"com.example.other"}},
                 {"configSchema", {{"type", "object"}, {"anything", true}}},
                 {"limits",
                  {{"concurrentCalls", 4},
                   {"callTimeoutSeconds", 5},
                   {"memoryMegabytes", 64},
                   {"cpuMillis", 500},
                   {"processes", 2}}},
                 {"privileges", {{"capabilities", {"SYS_ADMIN"}}, {"seccomp", "unconfined"}}},
                 {"objects", {{{"apiVersion", "v1"}, {"resource", "secrets"}, {"verbs", {"get"}}}}},
                 {"orphanGraceSeconds", 0}});
    EXPECT_EQ(problems(schema_file("manifest"), manifest()), "");
    EXPECT_EQ(problems(schema_file("manifest"), full), "");
}

TEST(Manifest, NeedsItsRequiredFields) {
    for (const char* name : {"id", "name", "kind", "version", "abi", "capabilities"}) {
        Json broken = manifest();
        broken.erase(name);
        EXPECT_NE(problems(schema_file("manifest"), broken), "") << name;
    }
}

TEST(Manifest, RefusesWhatIsWrong) {
    const Json patches = {
        {{"unknown", 1}},
        {{"id", "disk"}},
        {{"id", "com.Example"}},
        {{"kind", "storage"}},
        {{"version", "one"}},
        {{"library", "../disk.so"}},
        {{"library", "sub/disk.so"}},
        {{"library", ".hidden.so"}},
        {{"abi", {{"minimum", 0}}}},
        {{"abi", {{"middle", 1}}}},
        {{"sha256", "abc"}},
        {{"capabilities", Json::array()}},
        {{"capabilities", {"keelson.volume"}}},
        {{"requires", {"not an id"}}},
        {{"limits", {{"concurrentCalls", 0}}}},
        {{"limits", {{"unknown", 1}}}},
        {{"privileges", {{"seccomp", "off"}}}},
        {{"privileges", {{"capabilities", {"cap_sys_admin"}}}}},
        {{"objects", {{{"apiVersion", "v1"}, {"resource", "secrets"}, {"verbs", {"delete"}}}}}},
        {{"orphanGraceSeconds", -1}},
    };
    for (const Json& patch : patches) {
        Json broken = manifest();
        broken.merge_patch(patch);
        EXPECT_NE(problems(schema_file("manifest"), broken), "") << patch;
    }
}

Json from_yaml(const YAML::Node& node) {
    Json result;
    if (node.IsMap()) {
        result = Json::object();
        for (const auto& member : node) result[member.first.as<std::string>()] = from_yaml(member.second);
    } else if (node.IsSequence()) {
        result = Json::array();
        for (const auto& element : node) result.push_back(from_yaml(element));
    } else if (const Json scalar = Json::parse(node.Scalar(), nullptr, false); scalar.is_discarded()) {
        result = node.Scalar();
    } else {
        result = scalar;
    }
    return result;
}

TEST(Manifest, ExamplesAreRight) {
    std::ifstream stream(KEELSON_EXAMPLES_DIR "/scratch-volume/scratch-volume.yaml.in");
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    const std::string variable = "@SCRATCH_VOLUME_VERSION@";
    ASSERT_NE(text.find(variable), std::string::npos);
    const Json scratch = from_yaml(YAML::Load(text.replace(text.find(variable), variable.size(), "1.0.0")));
    EXPECT_EQ(problems(schema_file("manifest"), scratch), "");
    const Json user = from_yaml(YAML::LoadFile(KEELSON_EXAMPLES_DIR "/static-user/static-user.yaml"));
    EXPECT_EQ(problems(schema_file("manifest"), user), "");

    const Json configuration = {{"users", {{{"token", "0123456789abcdef"}, {"username", "ann"}}}}};
    EXPECT_EQ(problems(user["configSchema"], configuration), "");
    EXPECT_NE(problems(user["configSchema"], Json::object()), "");
}

}  // namespace
}  // namespace keelson
