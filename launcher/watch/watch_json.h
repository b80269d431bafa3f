// What `edt watch` shows, for scripts.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "launcher/watch/run_view.h"

namespace edt {

nlohmann::ordered_json to_json(const RunView& run);
nlohmann::ordered_json to_json(const LossForecast& forecast);

}  // namespace edt
