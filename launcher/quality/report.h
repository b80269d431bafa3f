// What a study of quality shows: curves, the cost of reaching a quality, what a budget buys.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "launcher/page/page.h"
#include "launcher/quality/comparison.h"

namespace edt {

std::string quality_study_text(const QualityReport& report);
nlohmann::ordered_json quality_study_json(const QualityReport& report);
std::string quality_study_csv(const QualityReport& report);
Page quality_study_page(const QualityReport& report);

}  // namespace edt
