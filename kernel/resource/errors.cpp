#include "kernel/resource/errors.h"

namespace keelson::resource {

using base::Reason;
using base::Status;
using base::StatusDetails;

namespace {

StatusDetails details_of(const object::Resource& resource, std::string_view name) {
    StatusDetails details;
    details.name = name;
    details.group = resource.group;
    details.kind = resource.name;
    return details;
}

std::string quoted(std::string_view name) {
    return "\"" + std::string(name) + "\"";
}

}  // namespace

std::string qualified_name(const object::Resource& resource) {
    std::string name(resource.name);
    if (!resource.group.empty()) name += "." + std::string(resource.group);
    return name;
}

Status not_found(const object::Resource& resource, std::string_view name) {
    return Status(Reason::not_found, qualified_name(resource) + " " + quoted(name) + " not found")
        .with_details(details_of(resource, name));
}

Status already_exists(const object::Resource& resource, std::string_view name) {
    return Status(Reason::already_exists, qualified_name(resource) + " " + quoted(name) + " already exists")
        .with_details(details_of(resource, name));
}

Status conflict(std::string_view group, std::string_view resource, std::string_view name,
                std::string_view why) {
    std::string what(resource);
    if (!group.empty()) what += "." + std::string(group);
    StatusDetails details;
    details.name = name;
    details.group = group;
    details.kind = resource;
    return Status(Reason::conflict,
                  "Operation cannot be fulfilled on " + what + " " + quoted(name) + ": " + std::string(why))
        .with_details(std::move(details));
}

Status modified_conflict(const object::Resource& resource, std::string_view name) {
    return conflict(
        resource.group, resource.name, name,
        "the object has been modified; please apply your changes to the latest version and try again");
}

Status forbidden(const object::Resource& resource, std::string_view name, std::string_view why) {
    std::string message = qualified_name(resource);
    if (!name.empty()) message += " " + quoted(name);
    return Status(Reason::forbidden, message + " is forbidden: " + std::string(why))
        .with_details(details_of(resource, name));
}

Status bad_request(std::string message) {
    return Status(Reason::bad_request, std::move(message));
}

Status internal_error(std::string_view why) {
    StatusDetails details;
    details.causes.push_back({"", std::string(why), ""});
    return Status(Reason::internal_error, "Internal error occurred: " + std::string(why))
        .with_details(std::move(details));
}

Status method_not_allowed() {
    return Status(Reason::method_not_allowed,
                  "the server does not allow this method on the requested resource")
        .with_details({});
}

Status resource_not_served() {
    return Status(Reason::not_found, "the server could not find the requested resource").with_details({});
}

Status not_available(std::string message) {
    return Status(Reason::service_unavailable, std::move(message));
}

}  // namespace keelson::resource
