#include "launcher/watch/metrics_record.h"

#include <simdjson.h>

#include <array>

#include "launcher/watch/followed_file.h"

namespace edt {
namespace {

// The parser that chooses its instructions at run time (ondemand fixes them when it is compiled).
namespace json = simdjson::dom;

static_assert(FollowedFile::kPadding >= simdjson::SIMDJSON_PADDING);

struct NamedNumber {
  std::string_view name;
  double MetricsRecord::*field;
};
constexpr std::array kNumbers{
    NamedNumber{"loss", &MetricsRecord::loss},
    NamedNumber{"masked_loss", &MetricsRecord::masked_loss},
    NamedNumber{"held_out_loss", &MetricsRecord::held_out_loss},
    NamedNumber{"held_out_trained_loss", &MetricsRecord::held_out_trained_loss},
    NamedNumber{"fid", &MetricsRecord::fid},
    NamedNumber{"latent_frechet", &MetricsRecord::latent_frechet},
    NamedNumber{"precision", &MetricsRecord::precision},
    NamedNumber{"recall", &MetricsRecord::recall},
    NamedNumber{"grad_norm", &MetricsRecord::grad_norm},
    NamedNumber{"lr", &MetricsRecord::lr},
    NamedNumber{"epoch", &MetricsRecord::epoch},
    NamedNumber{"images_per_s", &MetricsRecord::images_per_s},
    NamedNumber{"flops_per_s", &MetricsRecord::flops_per_s},
    NamedNumber{"ceiling_ratio", &MetricsRecord::ceiling_ratio},
    NamedNumber{"step_seconds", &MetricsRecord::step_seconds},
    NamedNumber{"time", &MetricsRecord::time},
    NamedNumber{"generation", &MetricsRecord::generation},
};
constexpr std::array<std::string_view, 5> kEvents{"spike", "rejected", "skipped", "went_back",
                                                  "changed"};

double number(json::element value) {
  double read = MetricsRecord::kNone;
  return value.get(read) == simdjson::SUCCESS ? read : MetricsRecord::kNone;
}

// Names come in the same order in every line: their memory is used again.
void read_named(json::object object, std::vector<std::pair<std::string, double>>& numbers) {
  std::size_t count = 0;
  for (const auto& [name, value] : object) {
    if (count == numbers.size()) numbers.emplace_back();
    auto& one = numbers[count++];
    if (one.first != name) one.first = name;
    one.second = number(value);
  }
  numbers.resize(count);
}

// `guess`: the number that follows the one read last, as lines have them in the same order.
void read_field(std::string_view name, json::element value, MetricsRecord& record,
                std::size_t& guess) {
  for (std::size_t i = 0; i < kNumbers.size(); ++i) {
    const NamedNumber& known = kNumbers[(guess + i) % kNumbers.size()];
    if (known.name != name) continue;
    record.*known.field = number(value);
    guess = (guess + i + 1) % kNumbers.size();
    return;
  }
  if (name == "step") {
    record.step = value.get_int64();
  } else if (name == "time_share") {
    read_named(value.get_object(), record.time_share);
  } else if (name == "beside") {
    read_named(value.get_object(), record.beside);
  } else {
    for (const std::string_view event : kEvents) {
      if (event != name) continue;
      const std::string_view text = value.get_string();
      record.events.emplace_back(name, text);
    }
  }
}

}  // namespace

struct MetricsParser::Parser {
  json::parser parser;
};

MetricsParser::MetricsParser() : parser_(std::make_unique<Parser>()) {}
MetricsParser::~MetricsParser() = default;

bool MetricsParser::parse(std::string_view line, MetricsRecord& record) {
  auto shares = std::move(record.time_share), beside = std::move(record.beside);
  record = {};
  record.time_share = std::move(shares);
  record.beside = std::move(beside);
  bool has_shares = false, has_beside = false;
  std::size_t guess = 0;
  try {
    const bool copy_for_padding = false;  // there is some behind every line
    const json::object object =
        parser_->parser.parse(line.data(), line.size(), copy_for_padding).get_object();
    for (const auto& [name, value] : object) {
      has_shares = has_shares || name == "time_share";
      has_beside = has_beside || name == "beside";
      read_field(name, value, record, guess);
    }
  } catch (const simdjson::simdjson_error&) {
    return false;
  }
  if (!has_shares) record.time_share.clear();
  if (!has_beside) record.beside.clear();
  return record.step >= 0;
}

}  // namespace edt
