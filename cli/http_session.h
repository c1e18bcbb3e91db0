// Sessions of the HTTP library, ready to be used: for what is more than one call and its answer.
#pragma once

#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>

#include <chrono>
#include <memory>

#include "cli/http.h"

namespace keelson::cli {

// Not connected yet unless it must be. Throws what the library throws. A patience of 0 bears any silence.
std::unique_ptr<Poco::Net::HTTPClientSession> open_session(const Server& server,
                                                           std::chrono::milliseconds patience);

// With the host, who asks, and the headers of the server and of the call.
Poco::Net::HTTPRequest make_request(const Server& server, const Call& call);

// Runs it and turns what the library throws into a Trouble.
tl::expected<void, Trouble> guarded(const std::function<void()>& work);

}  // namespace keelson::cli
