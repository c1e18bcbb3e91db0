// What a token of a ServiceAccount says, in Kubernetes' claims. Times are seconds since 1970.
#ifndef KEELSON_CLAIMS_H
#define KEELSON_CLAIMS_H

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

struct ObjectClaim {
    std::string name;
    std::string uid;
};

struct Claims {
    std::string issuer;
    std::string id;  // jti
    std::vector<std::string> audiences;
    std::int64_t issued_at = 0;
    std::int64_t not_before = 0;
    std::int64_t expires = 0;
    std::int64_t warn_after = 0;  // 0: never
    std::string namespace_;
    ObjectClaim service_account;
    std::optional<ObjectClaim> pod;
    std::optional<ObjectClaim> secret;
    std::optional<ObjectClaim> node;

    // "system:serviceaccount:namespace:name"
    [[nodiscard]] std::string subject() const;
};

nlohmann::json write_claims(const Claims& claims);
// Nothing when something that has to be there is missing, or of another kind.
std::optional<Claims> read_claims(const nlohmann::json& payload);

#endif
