// A plan for people, scripts and spreadsheets.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "launcher/page/page.h"
#include "model/plan/search.h"

namespace edt {

std::string plan_text(const SearchResult& result, const Cluster& cluster, int ranks,
                      std::size_t shown);
nlohmann::ordered_json plan_json(const SearchResult& result, const Cluster& cluster, int ranks);
Page plan_page(const SearchResult& result, const Cluster& cluster, int ranks);
// One row for each choice.
std::string plan_csv(const SearchResult& result, const Cluster& cluster);

nlohmann::ordered_json to_json(const Prediction& prediction, const Cluster& cluster);

}  // namespace edt
