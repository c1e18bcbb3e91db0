// keelctl explain
#include <algorithm>
#include <set>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/output.h"

namespace keelson::cli::kube {
namespace {

constexpr std::size_t kLineWidth = 80;
constexpr int kDeepest = 60;

// The OpenAPI v3 document of a group and version.
class Schemas {
  public:
    static Result<Schemas> load(Api& api, const Resource& resource) {
        const auto index = api.ask({.path = "/openapi/v3"});
        if (!index) return pass_on(index);
        const std::string key =
            (resource.group.empty() ? "api/" : "apis/" + resource.group + "/") + resource.version;
        const std::string path = text_at(member(member(*index, "paths"), key), "serverRelativeURL");
        if (path.empty())
            return fail("couldn't find resource for \"" + resource.api_version() + ", Kind=" + resource.kind +
                        "\"");
        auto document = api.ask({.path = path});
        if (!document) return pass_on(document);
        Schemas schemas;
        schemas.document_ = std::move(*document);
        return schemas;
    }

    // Of the kind itself; null when the server does not describe it.
    [[nodiscard]] const Object& of(const Resource& resource) const {
        for (const Object& schema : member(document_, {"components", "schemas"})) {
            const Object& kinds = member(schema, "x-kubernetes-group-version-kind");
            if (!kinds.is_array()) continue;
            for (const Object& kind : kinds)
                if (text_at(kind, "group") == resource.group &&
                    text_at(kind, "version") == resource.version && text_at(kind, "kind") == resource.kind)
                    return schema;
        }
        return member(document_, "");
    }

    // Follows references; `name` becomes the name of what was referred to.
    [[nodiscard]] const Object& resolved(const Object& schema, std::string* name = nullptr) const {
        const Object* at = &schema;
        for (int i = 0; i < kDeepest; ++i) {
            std::string reference = text_at(*at, "$ref");
            const Object& all = member(*at, "allOf");
            if (reference.empty() && all.is_array() && all.size() == 1)
                reference = text_at(all.front(), "$ref");
            if (reference.empty()) return *at;
            reference = reference.substr(reference.rfind('/') + 1);
            if (name != nullptr) *name = reference.substr(reference.rfind('.') + 1);
            at = &member(member(document_, {"components", "schemas"}), reference);
        }
        return *at;
    }

    // "Object", "[]Container", "map[string]string"
    [[nodiscard]] std::string type_of(const Object& schema, int depth = 0) const {
        std::string name;
        const Object& real = resolved(schema, &name);
        if (depth > kDeepest) return "Object";
        std::string type = text_at(real, "type");
        if (type == "array") return "[]" + type_of(member(real, "items"), depth + 1);
        const Object& values = member(real, "additionalProperties");
        if (values.is_object()) return "map[string]" + type_of(values, depth + 1);
        // Times are told of as the texts that they are.
        if (text_at(real, "format") == "date-time") return type;
        if (!name.empty()) return name;
        if (type == "object" || type.empty()) return "Object";
        return type;
    }

    // Where the fields are: behind references, items and values of maps.
    [[nodiscard]] const Object& with_fields(const Object& schema) const {
        const Object* at = &resolved(schema);
        for (int i = 0; i < kDeepest; ++i) {
            if (member(*at, "items").is_object())
                at = &resolved(member(*at, "items"));
            else if (member(*at, "additionalProperties").is_object())
                at = &resolved(member(*at, "additionalProperties"));
            else
                break;
        }
        return *at;
    }

    [[nodiscard]] std::string description_of(const Object& schema) const {
        const std::string own = text_at(schema, "description");
        return own.empty() ? text_at(resolved(schema), "description") : own;
    }

    // The schema's own and those of all that is behind it: references, items and values of maps.
    [[nodiscard]] std::vector<std::string> descriptions_of(const Object& schema) const {
        std::vector<std::string> all;
        const Object* at = &schema;
        for (int i = 0; i < kDeepest; ++i) {
            if (std::string text = text_at(*at, "description"); !text.empty()) all.push_back(std::move(text));
            const Object* next = &resolved(*at);
            if (next == at && member(*at, "items").is_object()) next = &member(*at, "items");
            if (next == at && member(*at, "additionalProperties").is_object())
                next = &member(*at, "additionalProperties");
            if (next == at) break;
            at = next;
        }
        return all;
    }

  private:
    Object document_;
};

// Words in lines that are no wider than they may be, each behind the indentation.
std::string wrapped(const std::string& text, std::size_t indent) {
    std::string out;
    std::size_t begin = 0;
    while (begin <= text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        std::string line(indent, ' ');
        std::size_t word = begin;
        bool is_empty = true;
        while (word < end) {
            const std::size_t space = std::min(text.find(' ', word), end);
            if (space > word) {
                if (!is_empty && line.size() + 1 + (space - word) > kLineWidth) {
                    out += line + "\n";
                    line = std::string(indent, ' ');
                    is_empty = true;
                }
                line += (is_empty ? "" : " ") + text.substr(word, space - word);
                is_empty = false;
            }
            word = space + 1;
        }
        out += (is_empty ? "" : line) + "\n";
        begin = end + 1;
    }
    return out;
}

class Explain : public Command {
  public:
    void add_flags(Flags& flags) override {
        flags.flag("recursive", is_recursive_, "Fields of fields too, only with their types");
        flags.text("api-version", api_version_, "Of this version: GROUP/VERSION");
        flags.text("output", output_, "plaintext is all there is");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (words.words.empty())
            return tl::unexpected(
                whole("error: You must specify the type of resource to explain. Use \"keelctl "
                      "api-resources\" for a complete list of supported resources."));
        if (words.words.size() > 1) return fail("We accept only this format: explain RESOURCE");
        if (output_ != "plaintext")
            return fail("keelctl explains in plaintext only, not \"" + output_ + "\"");
        const auto types = session.discovery();
        if (!types) return pass_on(types);
        const std::string& text = words.words.front();
        std::vector<std::string> fields;
        const auto resource = find(**types, text, fields);
        if (!resource) return tl::unexpected(whole(resource.error().message));
        const auto api = session.api();
        if (!api) return pass_on(api);
        const auto schemas = Schemas::load(**api, **resource);
        if (!schemas) return pass_on(schemas);
        return explain(*schemas, **resource, fields);
    }

  private:
    // "deployments.v1.apps" names a type too, so the longest text that is one wins.
    Result<const Resource*> find(const Discovery& types, const std::string& text,
                                 std::vector<std::string>& fields) const {
        const std::size_t first = text.find('.');
        auto found = types.find_type(text.substr(0, first));
        if (!found) return found;
        for (std::size_t begin = first; begin != std::string::npos; begin = text.find('.', begin + 1))
            fields.push_back(text.substr(begin + 1, text.find('.', begin + 1) - begin - 1));
        if (api_version_.empty()) return found;
        const Resource* other = types.find_kind(api_version_, (*found)->kind);
        if (other == nullptr)
            return fail("couldn't find resource for \"" + api_version_ + ", Resource=" + (*found)->plural +
                        "\"");
        return other;
    }

    Result<void> explain(const Schemas& schemas, const Resource& resource,
                         const std::vector<std::string>& fields) const {
        const Object* schema = &schemas.of(resource);
        if (schema->is_null())
            return fail("GVR (" + resource.api_version() + ", Resource=" + resource.plural +
                        ") not found in OpenAPI schema");
        for (const std::string& field : fields) {
            schema = &member(member(schemas.with_fields(*schema), "properties"), field);
            if (schema->is_null()) {
                print(heading(resource));
                return fail("field \"" + field + "\" does not exist");
            }
        }
        std::string text = heading(resource);
        if (!fields.empty())
            text += "FIELD: " + fields.back() + " <" + schemas.type_of(*schema) + ">\n" +
                    all_choices(*schema) + "\n";
        text += "DESCRIPTION:\n";
        const std::vector<std::string> descriptions = schemas.descriptions_of(*schema);
        for (const std::string& description : descriptions) text += wrapped(description, 4);
        text += descriptions.empty() ? "    <empty>\n" : "    \n";
        const Object& below = schemas.with_fields(*schema);
        if (member(below, "properties").is_object() && !member(below, "properties").empty())
            text += "FIELDS:\n" + list_fields(schemas, below, 1, 0);
        text += "\n";
        print(text);
        return {};
    }

    static std::string heading(const Resource& resource) {
        std::string text = resource.group.empty() ? "" : "GROUP:      " + resource.group + "\n";
        return text + "KIND:       " + resource.kind + "\nVERSION:    " + resource.version + "\n\n";
    }

    static std::string required(const Object& owner, const std::string& field) {
        const Object& names = member(owner, "required");
        const bool is_required =
            names.is_array() && std::any_of(names.begin(), names.end(),
                                            [&](const Object& name) { return name == Object(field); });
        return is_required ? " -required-" : "";
    }

    static std::vector<std::string> values_of(const Object& schema) {
        std::vector<std::string> texts;
        const Object& values = member(schema, "enum");
        if (!values.is_array()) return texts;
        for (const Object& value : values) {
            const std::string text = value.is_string() ? value.get<std::string>() : compact(value);
            texts.push_back(text.empty() ? "\"\"" : text);
        }
        return texts;
    }

    static std::string all_choices(const Object& schema) {
        std::string text;
        for (const std::string& value : values_of(schema)) text += "    " + value + "\n";
        return text.empty() ? "\n" : "ENUM:\n" + text;
    }

    // The first of them.
    static std::string choices(const Object& schema, std::size_t indent) {
        constexpr std::size_t kMost = 4;
        const std::vector<std::string> values = values_of(schema);
        if (values.empty()) return "";
        std::string text;
        for (std::size_t i = 0; i < std::min(values.size(), kMost); ++i)
            text += (text.empty() ? "" : ", ") + values[i];
        return std::string(indent, ' ') + "enum: " + text + (values.size() > kMost ? ", ....\n" : "\n");
    }

    std::string list_fields(const Schemas& schemas, const Object& schema, int level, int depth) const {
        std::string text;
        if (depth > kDeepest || !member(schema, "properties").is_object()) return text;
        const std::string indent(static_cast<std::size_t>(level) * 2, ' ');
        for (const auto& [name, field] : member(schema, "properties").items()) {
            text += indent + name + "\t<" + schemas.type_of(field) + ">" + required(schema, name) + "\n";
            text += choices(field, indent.size());
            if (is_recursive_) {
                const Object& below = schemas.with_fields(field);
                // A schema that holds itself would never end.
                if (std::find(path_.begin(), path_.end(), &below) != path_.end()) continue;
                path_.push_back(&below);
                text += list_fields(schemas, below, level + 1, depth + 1);
                path_.pop_back();
                continue;
            }
            const std::string description = schemas.description_of(field);
            text += description.empty() ? indent + "  <no description>\n\n"
                                        : wrapped(description, indent.size() + 2) + "\n";
        }
        return text;
    }

    bool is_recursive_ = false;
    std::string api_version_;
    std::string output_ = "plaintext";
    mutable std::vector<const Object*> path_;
};

}  // namespace

void add_explain_command(Registry& registry) {
    registry.add<Explain>("explain", "Basic Commands",
                          "TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group] [options]",
                          "Tell what the fields of a type are for",
                          "  keelctl explain pods.spec.containers\n  keelctl explain deploy --recursive");
}

}  // namespace keelson::cli::kube
