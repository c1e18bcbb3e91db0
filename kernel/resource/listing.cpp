#include "kernel/resource/listing.h"

#include <charconv>

#include "kernel/base/base64.h"
#include "kernel/object/field_errors.h"
#include "kernel/object/json.h"
#include "kernel/resource/codec.h"
#include "kernel/resource/errors.h"
#include "kernel/resource/field_labels.h"

namespace keelson::resource {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using object::Arena;
using object::FieldPath;
using object::Value;

constexpr std::string_view kTokenVersion = "meta.k8s.io/v1";
// How long a paged list may take between two pages before its revision may be compacted.
constexpr base::Duration kPageHold = std::chrono::minutes(5);

Status invalid_version(std::string_view text) {
    object::FieldErrors errors;
    std::string message = "resourceVersion: Invalid value: \"" + std::string(text) +
                          "\": strconv.ParseUint: parsing \"" + std::string(text) + "\": invalid syntax";
    return bad_request("invalid resource version: " + message);
}

Result<store::Revision> parse_version(std::string_view text) {
    if (text.empty()) return store::Revision{0};
    store::Revision revision = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), revision);
    if (error != std::errc() || end != text.data() + text.size()) return invalid_version(text);
    return revision;
}

Status too_old_to_continue() {
    return Status(
        Reason::expired,
        "The provided continue parameter is too old to display a consistent list result. You can start a "
        "new list without the continue parameter.");
}

}  // namespace

Status too_large_version(std::string_view wanted, store::Revision current) {
    base::StatusDetails details;
    details.causes.push_back({"ResourceVersionTooLarge", "Too large resource version", ""});
    details.retry_after_seconds = 1;
    return Status(Reason::timeout, "Timeout: Too large resource version: " + std::string(wanted) +
                                       ", current: " + std::to_string(current))
        .with_details(std::move(details));
}

Result<void> check_list_options(const ListOptions& options, bool watch) {
    object::FieldErrors errors;
    FieldPath match("resourceVersionMatch"), initial("sendInitialEvents");
    const std::string& how = options.resource_version_match;
    bool known = how.empty() || how == "Exact" || how == "NotOlderThan";
    if (options.send_initial_events) {
        if (!watch)
            errors.forbidden(initial, "sendInitialEvents is forbidden for list");
        else if (how != "NotOlderThan")
            errors.forbidden(match,
                             "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    } else if (!how.empty()) {
        if (watch) {
            errors.forbidden(
                match, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
        } else {
            if (options.resource_version.empty())
                errors.forbidden(match,
                                 "resourceVersionMatch is forbidden unless resourceVersion is provided");
            if (!options.continue_token.empty())
                errors.forbidden(match, "resourceVersionMatch is forbidden when continue is provided");
            if (!known) errors.not_supported(match, how, {"Exact", "NotOlderThan", ""});
            if (how == "Exact" && options.resource_version == "0")
                errors.forbidden(match,
                                 "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        }
    }
    if (!errors.empty()) return object::invalid_status("meta.k8s.io", "ListOptions", "", errors);
    return base::ok();
}

Result<Filter> Filter::parse(const Call& call, const ListOptions& options) {
    Filter filter;
    filter.resource_ = &storage_of(*call.resource);
    KEELSON_TRY(filter.labels_, object::LabelSelector::parse(options.label_selector));
    KEELSON_TRY(filter.fields_, parse_field_selector(*call.resource, options.field_selector));
    for (const object::FieldRequirement& requirement : filter.fields_.requirements())
        filter.needs_object_ = filter.needs_object_ || (requirement.path != "metadata.name" &&
                                                        requirement.path != "metadata.namespace");
    if (const std::string* name = filter.fields_.required("metadata.name")) filter.only_name_ = *name;
    if (const std::string* space = filter.fields_.required("metadata.namespace"))
        filter.only_namespace_ = *space;
    if (!call.name.empty() && filter.only_name_.empty()) filter.only_name_ = call.name;
    return filter;
}

bool Filter::matches(const store::Record& record) const {
    if (matches_everything() && only_name_.empty()) return true;
    KeyParts parts = parts_of(*resource_, record.key);
    if (!only_name_.empty() && parts.name != only_name_) return false;
    Arena arena;
    Value object;
    if (needs_object_) {
        auto decoded = decode(record, arena);
        if (!decoded) return false;
        object = *decoded;
    }
    if (!labels_.empty()) {
        Value metadata = object["metadata"];
        if (!needs_object_) {
            auto decoded = decode_metadata(record, arena);
            if (!decoded) return false;
            metadata = *decoded;
        }
        if (!labels_.matches(metadata["labels"])) return false;
    }
    return fields_.empty() || fields_.matches([&](std::string_view path) {
        if (path == "metadata.name") return std::string(parts.name);
        if (path == "metadata.namespace") return std::string(parts.namespace_name);
        return field_value(*resource_, object, path);
    });
}

Result<Listing> Listing::start(store::Store& store, const Call& call, const ListOptions& options) {
    KEELSON_TRY_VOID(check_list_options(options, false));
    KEELSON_TRY(Filter filter, Filter::parse(call, options));
    Listing listing(store, std::move(filter));
    std::string space = call.namespace_name;
    listing.base_prefix_ = listing.prefix_ = prefix_of(*call.resource, space);
    if (call.resource->namespaced && space.empty()) space = listing.filter_.only_namespace();
    listing.prefix_ = prefix_of(*call.resource, space);
    bool one_key = !listing.filter_.only_name().empty() && (!call.resource->namespaced || !space.empty());
    if (one_key) listing.prefix_ += listing.filter_.only_name();
    listing.limit_ = options.limit;
    if (!options.continue_token.empty()) {
        if (!options.resource_version.empty() && options.resource_version != "0")
            return bad_request("specifying resource version is not allowed when using continue");
        KEELSON_TRY_VOID(listing.read_continue_token(options.continue_token));
        return listing;
    }
    KEELSON_TRY(store::Revision wanted, parse_version(options.resource_version));
    store::Revision current = store.current();
    if (wanted > current) return too_large_version(options.resource_version, current);
    // "0" asks for whatever is at hand, as one page.
    if (options.resource_version == "0") listing.limit_ = 0;
    bool exact = options.resource_version_match == "Exact" ||
                 (options.resource_version_match.empty() && wanted > 0 && options.limit > 0);
    listing.revision_ = exact ? wanted : current;
    if (listing.limit_ > 0) store.hold(listing.revision_, kPageHold);
    return listing;
}

Result<void> Listing::read_continue_token(const std::string& token) {
    auto invalid = [](std::string_view why) {
        return bad_request("invalid continue token: continue key is not valid: " + std::string(why));
    };
    auto text = base::base64_decode(token, base::Base64::url);
    if (!text) return invalid(text.error().message());
    Arena arena;
    auto value = object::parse_json(*text, arena);
    if (!value) return invalid(value.error().message());
    if ((*value)["v"].as_string() != kTokenVersion)
        return bad_request("invalid continue token: server is not able to decode continue token version " +
                           (*value)["v"].to_string());
    std::int64_t revision = (*value)["rv"].as_integer();
    std::string_view start = (*value)["start"].as_string();
    if (revision <= 0 || start.empty())
        return bad_request("invalid continue token: incorrect encoded start resourceVersion or start key");
    if (start.find("..") != std::string_view::npos)
        return bad_request("invalid continue token: continue key is not valid: " + std::string(start));
    revision_ = static_cast<store::Revision>(revision);
    if (revision_ > store_->current()) return too_large_version(std::to_string(revision_), store_->current());
    next_key_ = base_prefix_ + std::string(start);
    if (revision_ < store_->compacted()) return too_old_to_continue();
    store_->hold(revision_, kPageHold);
    return base::ok();
}

Result<bool> Listing::step(const std::function<void(const store::Record&)>& visit) {
    store::ScanRequest request;
    request.prefix = prefix_;
    request.start = next_key_;
    request.revision = revision_;
    auto result = store_->scan(request, [&](const store::Record& record) {
        if (filter_.matches(record)) {
            visit(record);
            ++visited_;
        }
        return limit_ == 0 || visited_ < limit_;
    });
    if (!result) {
        if (result.error().reason() == Reason::expired && !next_key_.empty()) return too_old_to_continue();
        return std::move(result).error();
    }
    revision_ = result->revision;
    next_key_ = result->next_key;
    if (!result->more) return false;
    if (limit_ > 0 && visited_ == limit_) {
        KEELSON_TRY(std::uint64_t left, store_->count(prefix_, next_key_, revision_));
        more_ = left > 0;
        if (more_ && filter_.matches_everything()) remaining_ = static_cast<std::int64_t>(left);
        return false;
    }
    return true;
}

std::string Listing::continue_token() const {
    if (!more_) return {};
    std::string json =
        "{\"v\":\"" + std::string(kTokenVersion) + "\",\"rv\":" + std::to_string(revision_) + ",\"start\":";
    object::write_json_string(std::string_view(next_key_).substr(base_prefix_.size()), json);
    json += "}";
    return base::base64_encode(json, base::Base64::url);
}

Result<WatchStream> WatchStream::start(store::Store& store, const Call& call, const ListOptions& options) {
    KEELSON_TRY_VOID(check_list_options(options, true));
    WatchStream stream;
    KEELSON_TRY(stream.filter_, Filter::parse(call, options));
    auto wanted = parse_version(options.resource_version);
    if (!wanted)
        return Status(Reason::unknown,
                      wanted.error().message().substr(std::string_view("invalid resource version: ").size()));
    bool fresh = *wanted == 0 || options.send_initial_events.value_or(false);
    if (*wanted > store.current()) return too_large_version(options.resource_version, store.current());
    store::Revision from = *wanted;
    if (fresh) {
        from = store.current();
        bool wants_state = options.send_initial_events.value_or(true);
        if (wants_state) {
            ListOptions list;
            list.label_selector = options.label_selector;
            list.field_selector = options.field_selector;
            KEELSON_TRY(Listing listing, Listing::start(store, call, list));
            from = listing.revision();
            stream.initial_.emplace(std::move(listing));
        }
        stream.announce_end_of_initial_ =
            options.send_initial_events.value_or(false) && options.allow_watch_bookmarks;
    }
    std::string prefix = prefix_of(*call.resource, call.namespace_name);
    KEELSON_TRY(stream.watch_, store.watch(std::move(prefix), from));
    return stream;
}

Result<std::size_t> WatchStream::poll(
    std::size_t limit, const std::function<void(WatchEventType, const store::Record&)>& visit) {
    std::size_t delivered = 0;
    if (initial_) {
        KEELSON_TRY(bool more, initial_->step([&](const store::Record& record) {
            visit(WatchEventType::added, record);
            ++delivered;
        }));
        if (more) return std::max<std::size_t>(delivered, 1);
        if (announce_end_of_initial_) {
            store::Record mark;
            mark.modified = initial_->revision();
            visit(WatchEventType::initial_events_end, mark);
            ++delivered;
        }
        initial_.reset();
        if (delivered > 0) return delivered;
    }
    // Events that the filter drops count as work done, so that a busy resource cannot keep one caller
    // forever.
    std::size_t seen = 0;
    KEELSON_TRY(seen, watch_->poll(limit, [&](const store::Event& event) {
        bool was = event.kind != store::Event::Kind::created && !event.previous.key.empty() &&
                   filter_.matches(event.previous);
        bool is = event.kind != store::Event::Kind::removed && filter_.matches(event.record);
        if (is) {
            visit(was ? WatchEventType::modified : WatchEventType::added, event.record);
        } else if (was) {
            // The last state that this watcher may see, at the revision of the change.
            bool has_last = event.kind == store::Event::Kind::removed && !event.record.bytes.empty();
            store::Record last = has_last ? event.record : event.previous;
            last.modified = event.revision;
            visit(WatchEventType::removed, last);
        }
    }));
    return delivered + seen;
}

}  // namespace keelson::resource
