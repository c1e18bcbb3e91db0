// Calls and answers in the terms of Kubernetes' REST API, apart from any transport.
#pragma once

#include <string>
#include <string_view>

#include "kernel/client/client.h"

namespace keelson::client {

// "/apis/apps/v1/namespaces/default/deployments/web/status"
[[nodiscard]] std::string path_of(const Address& address);
// "?limit=5&labelSelector=a%3Db"; empty when there is nothing to say.
[[nodiscard]] std::string query_of(const ListOptions& options, bool watch);
// A create, update or (with `apply`) patch.
[[nodiscard]] std::string query_of(const WriteOptions& options, bool apply = false);
[[nodiscard]] std::string_view content_type_of(PatchType type);
[[nodiscard]] std::string body_of(const DeleteOptions& options);

// The object of a success; of a failure (code 400 and above) the Status that the body tells.
[[nodiscard]] base::Result<object::Document> object_answer(int code, std::string_view body);
[[nodiscard]] base::Result<Page> page_answer(int code, std::string_view body);
// One line of a watch. An ERROR event is a failure.
[[nodiscard]] base::Result<WatchEvent> event_of(std::string_view line);

}  // namespace keelson::client
