#include "kernel/resource/codec.h"

#include <algorithm>

#include "kernel/object/json.h"

namespace keelson::resource {
namespace {

using object::Arena;
using object::Member;
using object::Resource;
using object::Value;

constexpr std::string_view kMetadataName = "\"metadata\":";

bool comes_before_resource_version(std::string_view name) {
    return name == "name" || name == "generateName" || name == "namespace" || name == "selfLink" ||
           name == "uid";
}

void write_metadata(Value metadata, Encoded& out) {
    out.header.metadata_offset = static_cast<std::uint32_t>(out.bytes.size());
    out.bytes += '{';
    bool written = false, first = true;
    auto write_revision = [&] {
        if (!first) out.bytes += ',';
        first = false;
        out.bytes += "\"resourceVersion\":\"";
        out.header.revision_offset = static_cast<std::uint32_t>(out.bytes.size());
        out.bytes += '"';
        written = true;
    };
    for (const Member& member : metadata.members()) {
        if (member.name == "resourceVersion") continue;
        if (!written && !comes_before_resource_version(member.name)) write_revision();
        if (!first) out.bytes += ',';
        first = false;
        object::write_json_string(member.name, out.bytes);
        out.bytes += ':';
        object::write_json(member.value, out.bytes);
    }
    if (!written) write_revision();
    out.bytes += '}';
    out.header.metadata_length = static_cast<std::uint32_t>(out.bytes.size()) - out.header.metadata_offset;
}

std::string group_part(const Resource& resource) {
    return resource.group.empty() ? "core" : std::string(resource.group);
}

base::Result<Value> parse_stored(const std::string& text, std::string_view what, const store::Record& record,
                                 Arena& arena) {
    auto value = object::parse_json_copy(text, arena);
    if (!value)
        return base::Status(base::Reason::store_read_error, "the stored " + std::string(what) + " of " +
                                                                std::string(record.key) +
                                                                " is damaged: " + value.error().message());
    return value;
}

}  // namespace

const Resource& storage_of(const Resource& resource) {
    return resource.storage_index == resource.index ? resource
                                                    : object::builtin_resources()[resource.storage_index];
}

std::string prefix_of(const Resource& resource, std::string_view namespace_name) {
    const Resource& stored = storage_of(resource);
    std::string key = group_part(stored);
    key += '/';
    key += stored.name;
    key += '/';
    if (stored.namespaced && !namespace_name.empty()) {
        key += namespace_name;
        key += '/';
    }
    return key;
}

std::string key_of(const Resource& resource, std::string_view namespace_name, std::string_view name) {
    std::string key = prefix_of(resource, namespace_name);
    key += name;
    return key;
}

KeyParts parts_of(const Resource& resource, std::string_view key) {
    key.remove_prefix(std::min(key.size(), prefix_of(resource, {}).size()));
    if (!resource.namespaced) return {{}, key};
    std::size_t slash = key.find('/');
    if (slash == std::string_view::npos) return {{}, key};
    return {key.substr(0, slash), key.substr(slash + 1)};
}

Encoded encode(const Resource& stored, Value object) {
    Encoded out;
    out.bytes.reserve(1024);
    out.bytes += "{\"kind\":\"";
    out.bytes += stored.kind;
    out.bytes += "\",\"apiVersion\":\"";
    out.bytes += object::api_version_of(stored);
    out.bytes += "\",";
    out.bytes += kMetadataName;
    write_metadata(object["metadata"], out);
    for (const Member& member : object.members()) {
        if (member.name == "metadata" || member.name == "kind" || member.name == "apiVersion") continue;
        out.bytes += ',';
        object::write_json_string(member.name, out.bytes);
        out.bytes += ':';
        object::write_json(member.value, out.bytes);
    }
    out.bytes += '}';
    out.header.type = stored.index;
    return out;
}

void append_json(const store::Record& record, WithKind with_kind, std::string& out) {
    std::string_view bytes = record.bytes;
    std::size_t start = 0;
    if (with_kind == WithKind::no) {
        start = record.header.metadata_offset - kMetadataName.size();
        out += '{';
    }
    out.append(bytes, start, record.header.revision_offset - start);
    out += std::to_string(record.modified);
    out.append(bytes, record.header.revision_offset);
}

void append_metadata_json(const store::Record& record, std::string& out) {
    const store::Header& header = record.header;
    std::size_t end = header.metadata_offset + header.metadata_length;
    out.append(record.bytes, header.metadata_offset, header.revision_offset - header.metadata_offset);
    out += std::to_string(record.modified);
    out.append(record.bytes, header.revision_offset, end - header.revision_offset);
}

base::Result<Value> decode(const store::Record& record, Arena& arena) {
    std::string text;
    text.reserve(record.bytes.size() + 20);
    append_json(record, WithKind::yes, text);
    return parse_stored(text, "value", record, arena);
}

base::Result<Value> decode_without_managers(const store::Record& record, Arena& arena) {
    const store::Header& header = record.header;
    // The last member of the metadata. Quotes inside of texts are escaped, so this is found nowhere else.
    std::string_view metadata = record.bytes.substr(header.metadata_offset, header.metadata_length);
    std::size_t managers = metadata.find(",\"managedFields\":[{");
    if (managers == std::string_view::npos) return decode(record, arena);
    std::size_t kept = header.metadata_offset + managers;
    std::size_t rest = header.metadata_offset + header.metadata_length - 1;
    std::string text;
    text.reserve(record.bytes.size() + 20);
    text.append(record.bytes, 0, header.revision_offset);
    text += std::to_string(record.modified);
    text.append(record.bytes, header.revision_offset, kept - header.revision_offset);
    text.append(record.bytes, rest);
    return parse_stored(text, "value", record, arena);
}

base::Result<Value> decode_metadata(const store::Record& record, Arena& arena) {
    std::string text;
    text.reserve(record.header.metadata_length + 20);
    append_metadata_json(record, text);
    return parse_stored(text, "metadata", record, arena);
}

store::Record view(const store::OwnedRecord& record) {
    return {record.key, record.bytes, record.header, record.created, record.modified};
}

}  // namespace keelson::resource
