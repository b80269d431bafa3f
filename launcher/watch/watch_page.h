// The page of `edt watch --html`.
#pragma once

#include <optional>

#include "launcher/page/page.h"
#include "launcher/watch/run_view.h"

namespace edt {

// `refresh`: seconds after which a browser loads it again; nothing for runs that have ended.
Page watch_page(const RunViews& runs, std::optional<double> refresh);

}  // namespace edt
