#include "kernel/control/go_dump.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <vector>

namespace keelson::control {
namespace {

using object::Field;
using object::Member;
using object::Shape;
using object::Type;
using object::Value;

__extension__ using Wide = __int128;

struct GoName {
    std::string_view type;  // empty: wherever the field is
    std::string_view json;
    std::string_view go;
};

// The fields whose names in Go are not their JSON names with a capital at the front.
constexpr std::array kGoNames = {
    GoName{"core/v1.RBDVolumeSource", "monitors", "CephMonitors"},
    GoName{"core/v1.RBDVolumeSource", "image", "RBDImage"},
    GoName{"core/v1.RBDVolumeSource", "pool", "RBDPool"},
    GoName{"core/v1.RBDVolumeSource", "user", "RadosUser"},
    GoName{"core/v1.GlusterfsVolumeSource", "endpoints", "EndpointsName"},
    GoName{"core/v1.ISCSIVolumeSource", "chapAuthDiscovery", "DiscoveryCHAPAuth"},
    GoName{"core/v1.ISCSIVolumeSource", "chapAuthSession", "SessionCHAPAuth"},
    GoName{"core/v1.AzureDiskVolumeSource", "diskURI", "DataDiskURI"},
    GoName{"", "apiGroup", "APIGroup"},
    GoName{"", "apiVersion", "APIVersion"},
    GoName{"", "awsElasticBlockStore", "AWSElasticBlockStore"},
    GoName{"", "cephfs", "CephFS"},
    GoName{"", "csi", "CSI"},
    GoName{"", "dnsConfig", "DNSConfig"},
    GoName{"", "dnsPolicy", "DNSPolicy"},
    GoName{"", "fc", "FC"},
    GoName{"", "fsGroup", "FSGroup"},
    GoName{"", "fsGroupChangePolicy", "FSGroupChangePolicy"},
    GoName{"", "fsType", "FSType"},
    GoName{"", "gcePersistentDisk", "GCEPersistentDisk"},
    GoName{"", "gmsaCredentialSpec", "GMSACredentialSpec"},
    GoName{"", "gmsaCredentialSpecName", "GMSACredentialSpecName"},
    GoName{"", "grpc", "GRPC"},
    GoName{"", "httpGet", "HTTPGet"},
    GoName{"", "httpHeaders", "HTTPHeaders"},
    GoName{"", "ip", "IP"},
    GoName{"", "iqn", "IQN"},
    GoName{"", "iscsi", "ISCSI"},
    GoName{"", "iscsiInterface", "ISCSIInterface"},
    GoName{"", "metadata", "ObjectMeta"},
    GoName{"", "nfs", "NFS"},
    GoName{"", "os", "OS"},
    GoName{"", "pdID", "PdID"},
    GoName{"", "pdName", "PDName"},
    GoName{"", "rbd", "RBD"},
    GoName{"", "scaleIO", "ScaleIO"},
    GoName{"", "seLinuxChangePolicy", "SELinuxChangePolicy"},
    GoName{"", "seLinuxOptions", "SELinuxOptions"},
    GoName{"", "serviceAccount", "DeprecatedServiceAccount"},
    GoName{"", "sslEnabled", "SSLEnabled"},
    GoName{"", "storageos", "StorageOS"},
    GoName{"", "targetWWNs", "TargetWWNs"},
    GoName{"", "tcpSocket", "TCPSocket"},
    GoName{"", "tty", "TTY"},
    GoName{"", "uid", "UID"},
    GoName{"", "wwids", "WWIDs"},
};

std::string go_name(const Type& owner, std::string_view json) {
    for (const GoName& name : kGoNames)
        if (name.json == json && (name.type.empty() || name.type == owner.id)) return std::string(name.go);
    std::string name(json);
    if (name[0] >= 'a' && name[0] <= 'z') name[0] = static_cast<char>(name[0] - 'a' + 'A');
    return name;
}

// A quantity as Go holds it: a small number and a power of ten, or a decimal of any size.
struct GoQuantity {
    std::int64_t value = 0;
    int scale = 0;
    std::optional<Wide> decimal;  // in nanos
    std::string_view format = "DecimalSI";
    std::string_view cached;  // the text, when Go sees at once that it is the canonical one
};

struct Suffix {
    std::string_view text;
    int exponent;
    bool is_binary;
};
constexpr std::array kSuffixes = {
    Suffix{"", 0, false},   Suffix{"n", -9, false}, Suffix{"u", -6, false}, Suffix{"m", -3, false},
    Suffix{"k", 3, false},  Suffix{"M", 6, false},  Suffix{"G", 9, false},  Suffix{"T", 12, false},
    Suffix{"P", 15, false}, Suffix{"E", 18, false}, Suffix{"Ki", 10, true}, Suffix{"Mi", 20, true},
    Suffix{"Gi", 30, true}, Suffix{"Ti", 40, true}, Suffix{"Pi", 50, true}, Suffix{"Ei", 60, true},
};

std::int64_t integer_of(std::string_view text) {
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

// Canonical texts have no fraction: a sign, digits, and a suffix or "e" with an exponent.
GoQuantity parse_quantity(std::string_view text) {
    constexpr int kMostDigits = 18;
    GoQuantity quantity;
    if (text == "0") {
        quantity.cached = text;
        return quantity;
    }
    const bool is_negative = text.substr(0, 1) == "-";
    const std::string_view unsigned_text = text.substr(is_negative ? 1 : 0);
    const std::size_t length = std::min(unsigned_text.find_first_not_of("0123456789"), unsigned_text.size());
    const std::string_view digits = unsigned_text.substr(0, length);
    const std::string_view ending = unsigned_text.substr(length);
    Suffix suffix{ending, 0, false};
    if (ending.size() > 1 && (ending[0] == 'e' || ending[0] == 'E') && ending[1] != 'i') {
        suffix.exponent = static_cast<int>(integer_of(ending.substr(ending[1] == '+' ? 2 : 1)));
        quantity.format = "DecimalExponent";
    } else {
        const auto* found = std::ranges::find(kSuffixes, ending, &Suffix::text);
        if (found != kSuffixes.end()) suffix = *found;
    }
    if (suffix.is_binary) quantity.format = "BinarySI";
    const int digit_count = static_cast<int>(digits.size());
    const int room =
        suffix.is_binary ? 15 - digit_count - suffix.exponent * 3 / 10 - 1 : kMostDigits - digit_count;
    const std::int64_t number = integer_of(digits);
    if (room < 0) {
        Wide nanos = static_cast<Wide>(number) * 1'000'000'000;
        if (suffix.is_binary) nanos <<= suffix.exponent;
        for (int power = 0; !suffix.is_binary && power < suffix.exponent; ++power) nanos *= 10;
        for (int power = 0; !suffix.is_binary && power > suffix.exponent; --power) nanos /= 10;
        quantity.decimal = is_negative ? -nanos : nanos;
        return quantity;
    }
    quantity.scale = suffix.is_binary ? 0 : suffix.exponent;
    quantity.value = suffix.is_binary ? number << suffix.exponent : number;
    if (is_negative) quantity.value = -quantity.value;
    const bool is_plainly_canonical =
        suffix.is_binary ? suffix.exponent % 10 == 0 && (number & 7) != 0
                         : quantity.scale % 3 == 0 && !digits.ends_with("000") && digits[0] != '0';
    if (is_plainly_canonical) quantity.cached = text;
    return quantity;
}

class Dumper {
  public:
    // With the type in front, unless it was told already.
    void dump(const Type& type, Value value, bool with_type) {
        if (with_type) put_type(type.go_name);
        switch (type.shape) {
            case Shape::boolean:
                text += value.as_boolean() ? "true" : "false";
                break;
            case Shape::int32:
            case Shape::int64:
                text += std::to_string(value.as_integer());
                break;
            case Shape::list:
                dump_list(type, value);
                break;
            case Shape::map:
                dump_map(type, value);
                break;
            case Shape::structure:
                dump_structure(type, value);
                break;
            case Shape::quantity:
                dump_quantity(value);
                break;
            case Shape::int_or_string:
                dump_int_or_string(value);
                break;
            case Shape::time:
            case Shape::micro_time:
                // Templates have no times: what is in their metadata is never set.
                text += "{Time:(time.Time){wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}}";
                break;
            default:
                text += value.as_string();
        }
    }

    std::string text;

  private:
    void put_type(std::string_view name) { text.append("(").append(name).append(")"); }

    void dump_list(const Type& type, Value list) {
        if (list.empty()) {
            text += "<nil>";
            return;
        }
        text += '[';
        std::string_view separator;
        for (const Value item : list.items()) {
            text += separator;
            dump(*type.element, item, false);
            separator = " ";
        }
        text += ']';
    }

    void dump_map(const Type& type, Value map) {
        if (map.empty()) {
            text += "<nil>";
            return;
        }
        std::vector<Member> members(map.members().begin(), map.members().end());
        std::ranges::sort(members, {}, &Member::name);
        text += "map[";
        std::string_view separator;
        for (const Member& member : members) {
            text.append(separator).append(member.name).append(":");
            dump(*type.element, member.value, false);
            separator = " ";
        }
        text += ']';
    }

    // Embedded structures are fields of their own in Go; here their fields stand among the others.
    void dump_structure(const Type& type, Value value) {
        text += '{';
        std::string_view separator;
        std::vector<std::string_view> open;
        for (const Field& field : type.fields) {
            const std::vector<std::string_view> path = embedding_of(field);
            const auto common =
                static_cast<std::size_t>(std::ranges::mismatch(open, path).in1 - open.begin());
            for (; open.size() > common; open.pop_back()) text += '}';
            text += separator;
            for (; open.size() < path.size(); open.push_back(path[open.size()])) {
                const std::string_view name = path[open.size()];
                text.append(name).append(":");
                put_type(std::string(type.go_name.substr(0, type.go_name.find('.') + 1)).append(name));
                text += '{';
            }
            dump_field(type, field, value[field.name]);
            separator = " ";
        }
        for (; !open.empty(); open.pop_back()) text += '}';
        text += '}';
    }

    static std::vector<std::string_view> embedding_of(const Field& field) {
        std::vector<std::string_view> path;
        std::string_view rest = field.embedded_in;
        while (!rest.empty()) {
            const std::size_t end = std::min(rest.find('.'), rest.size());
            path.push_back(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        return path;
    }

    void dump_field(const Type& owner, const Field& field, Value value) {
        text += go_name(owner, field.name);
        text += ':';
        if (!field.has(Field::pointer)) {
            dump(*field.type, value, true);
            return;
        }
        put_type(std::string("*").append(field.type->go_name));
        if (value.is_unset())
            text += "<nil>";
        else
            dump(*field.type, value, false);
    }

    void dump_int_or_string(Value value) {
        const bool is_string = value.is_string();
        text.append("{Type:(intstr.Type)").append(is_string ? "1" : "0");
        text.append(" IntVal:(int32)").append(std::to_string(value.as_integer()));
        text.append(" StrVal:(string)").append(value.as_string()).append("}");
    }

    void dump_quantity(Value value) {
        // One that was never set has no format either.
        const GoQuantity quantity =
            value.is_unset() ? GoQuantity{0, 0, std::nullopt, "", ""} : parse_quantity(value.as_string());
        text.append("{i:(resource.int64Amount){value:(int64)").append(std::to_string(quantity.value));
        text.append(" scale:(resource.Scale)").append(std::to_string(quantity.scale));
        text += "} d:(resource.infDecAmount){Dec:(*inf.Dec)";
        if (quantity.decimal)
            dump_decimal(*quantity.decimal);
        else
            text += "<nil>";
        text.append("} s:(string)").append(quantity.cached);
        text.append(" Format:(resource.Format)").append(quantity.format).append("}");
    }

    // Go's big numbers are a sign and words, the lowest first.
    void dump_decimal(Wide nanos) {
        const bool is_negative = nanos < 0;
        const Wide amount = is_negative ? -nanos : nanos;
        const auto low = static_cast<std::uint64_t>(amount);
        const auto high = static_cast<std::uint64_t>(amount >> 64);
        text.append("{unscaled:(big.Int){neg:(bool)").append(is_negative ? "true" : "false");
        text.append(" abs:(big.nat)[").append(std::to_string(low));
        if (high != 0) text.append(" ").append(std::to_string(high));
        text += "]} scale:(inf.Scale)9}";
    }
};

}  // namespace

std::string go_dump(const Type& type, Value value) {
    Dumper dumper;
    dumper.dump(type, value, true);
    return std::move(dumper.text);
}

}  // namespace keelson::control
