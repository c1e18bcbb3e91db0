#include <algorithm>

#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

namespace {

constexpr bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool all_digits(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// iqn.2001-04.com.example:storage.disk1
bool is_iqn(std::string_view name) {
    if (!name.starts_with("iqn.")) return false;
    name.remove_prefix(4);
    if (name.size() < 8 || !all_digits(name.substr(0, 4)) || name[4] != '-' ||
        !all_digits(name.substr(5, 2)) || name[7] != '.')
        return false;
    name.remove_prefix(8);
    std::size_t end = 0;
    while (end < name.size() && (is_alphanumeric(name[end]) || name[end] == '-' || name[end] == '.')) ++end;
    if (end == 0) return false;
    if (end == name.size()) return true;
    std::string_view rest = name.substr(end + 1);
    return name[end] == ':' && !rest.empty() &&
           rest.find_first_of(",;*&$| \t\r\n\v\f") == std::string_view::npos;
}

bool is_long_name(std::string_view name, std::string_view prefix, std::size_t length) {
    return name.starts_with(prefix) && name.size() == prefix.size() + length &&
           std::all_of(name.begin() + static_cast<std::ptrdiff_t>(prefix.size()), name.end(),
                       is_alphanumeric);
}

// The members that must be set, by kind of volume.
struct Requirement {
    std::string_view kind;
    std::string_view members[4];
};

constexpr Requirement kRequirements[] = {
    {"gcePersistentDisk", {"pdName"}},
    {"awsElasticBlockStore", {"volumeID"}},
    {"glusterfs", {"endpoints", "path"}},
    {"rbd", {"monitors", "image"}},
    {"cinder", {"volumeID"}},
    {"cephfs", {"monitors"}},
    {"quobyte", {"registry", "volume"}},
    {"azureFile", {"secretName", "shareName"}},
    {"vsphereVolume", {"volumePath"}},
    {"photonPersistentDisk", {"pdID"}},
    {"portworxVolume", {"volumeID"}},
    {"azureDisk", {"diskName", "diskURI"}},
    {"scaleIO", {"gateway", "system", "volumeName"}},
    {"gitRepo", {"repository"}},
};

void validate_fibre_channel(FieldErrors& errors, const FieldPath& path, Value source) {
    constexpr std::string_view kEither = "must specify either targetWWNs or wwids, but not both";
    bool names = !source["targetWWNs"].empty(), ids = !source["wwids"].empty();
    if (!names && !ids) errors.required(path.child("targetWWNs"), kEither);
    if (names && ids) errors.invalid(path.child("targetWWNs"), source["targetWWNs"], kEither);
    if (!names) return;
    Value lun = source["lun"];
    if (lun.is_unset())
        errors.required(path.child("lun"), "lun is required if targetWWNs is specified");
    else
        errors.invalid_each(path.child("lun"), lun.as_integer(), is_in_range(lun.as_integer(), 0, 255));
}

}  // namespace

void validate_no_backsteps(FieldErrors& errors, const FieldPath& path, std::string_view text) {
    for (std::string_view part : split(text, '/'))
        if (part == "..") {
            errors.invalid(path, text, "must not contain '..'");
            break;
        }
}

void validate_descending_path(FieldErrors& errors, const FieldPath& path, std::string_view text) {
    if (text.starts_with('/')) errors.invalid(path, text, "must be a relative path");
    validate_no_backsteps(errors, path, text);
}

void validate_item_path(FieldErrors& errors, const FieldPath& path, std::string_view text) {
    validate_descending_path(errors, path, text);
    if (text.starts_with("..") && !text.starts_with("../"))
        errors.invalid(path, text, "must not start with '..'");
}

void validate_host_path(FieldErrors& errors, const FieldPath& path, Value source) {
    std::string_view text = source["path"].as_string();
    if (text.empty()) return errors.required(path.child("path"));
    validate_no_backsteps(errors, path.child("path"), text);
    if (Value type = source["type"]; type.is_set())
        one_of(errors, path.child("type"), type.as_string(),
               {"", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate",
                "Socket"});
}

void validate_nfs(FieldErrors& errors, const FieldPath& path, Value source) {
    if (source["server"].empty()) errors.required(path.child("server"));
    std::string_view text = source["path"].as_string();
    if (text.empty()) errors.required(path.child("path"));
    if (!text.starts_with('/')) errors.invalid(path.child("path"), text, "must be an absolute path");
}

void validate_iscsi(FieldErrors& errors, const FieldPath& path, Value source, bool persistent) {
    if (source["targetPortal"].empty()) errors.required(path.child("targetPortal"));
    std::string_view name = source["iqn"].as_string();
    if (name.empty())
        errors.required(path.child("iqn"));
    else if (!is_iqn(name) && !is_long_name(name, "eui.", 16) && !is_long_name(name, "naa.", 32))
        errors.invalid(path.child("iqn"), name, "must be valid format");
    errors.invalid_each(path.child("lun"), source["lun"].as_integer(),
                        is_in_range(source["lun"].as_integer(), 0, 255));
    bool chap = source["chapAuthDiscovery"].as_boolean() || source["chapAuthSession"].as_boolean();
    Value secret = source["secretRef"];
    if (chap && !secret.is_map()) errors.required(path.child("secretRef"));
    if (persistent && secret.is_map() && secret["name"].empty())
        errors.required(path.child("secretRef.name"));
    if (Value initiator = source["initiatorName"]; initiator.is_set()) {
        std::string_view text = initiator.as_string();
        if (!is_iqn(text) && !is_long_name(text, "eui.", 16) && !is_long_name(text, "naa.", 32))
            errors.invalid(path.child("initiatorname"), text, "must be valid format");
    }
}

void validate_csi_driver_name(FieldErrors& errors, const FieldPath& path, std::string_view name) {
    if (name.empty()) errors.required(path);
    if (name.size() > 63) errors.too_long(path, 63);
    if (Messages messages = is_dns1123_subdomain(lower_case(name)); !messages.empty())
        errors.invalid_each(path, name, messages);
}

void validate_legacy_volume(FieldErrors& errors, const FieldPath& path, std::string_view kind, Value source,
                            bool persistent) {
    if (kind == "fc") return validate_fibre_channel(errors, path, source);
    auto found = std::ranges::find(kRequirements, kind, &Requirement::kind);
    if (found != std::end(kRequirements))
        for (std::string_view member : found->members)
            if (!member.empty() && source[member].empty()) errors.required(path.child(member));
    if (kind == "gcePersistentDisk" && source["partition"].is_set())
        errors.invalid_each(path.child("partition"), source["partition"].as_integer(),
                            is_in_range(source["partition"].as_integer(), 0, 255));
    if (kind == "awsElasticBlockStore" &&
        (source["partition"].as_integer() < 0 || source["partition"].as_integer() > 255))
        errors.invalid_each(path.child("partition"), source["partition"].as_integer(),
                            is_in_range(source["partition"].as_integer(), 0, 255));
    if (kind == "gitRepo")
        validate_descending_path(errors, path.child("directory"), source["directory"].as_string());
    if (kind == "flocker") {
        bool name = !source["datasetName"].empty(), uuid = !source["datasetUUID"].empty();
        if (!name && !uuid) errors.required(path, "one of datasetName and datasetUUID is required");
        if (name && uuid)
            errors.invalid(path, "resource",
                           "datasetName and datasetUUID can not be specified simultaneously");
        if (source["datasetName"].as_string().find('/') != std::string_view::npos)
            errors.invalid(path.child("datasetName"), source["datasetName"].as_string(),
                           "must not contain '/'");
    }
    if (kind == "local") {
        std::string_view text = source["path"].as_string();
        if (text.empty()) return errors.required(path.child("path"));
        validate_no_backsteps(errors, path.child("path"), text);
    }
    if (persistent && (kind == "azureFile") && source["secretNamespace"].is_set() &&
        source["secretNamespace"].empty())
        errors.required(path.child("secretNamespace"));
}

}  // namespace keelson::object::validation
