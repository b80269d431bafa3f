// Manual pages, in the macros of man(7).
#pragma once

#include <span>
#include <string>

#include "launcher/command.h"

namespace edt {

// "edt" or "edt-data-info": its name in section 1.
std::string man_page_name(std::string_view command);
// edt(1): what there is. `version` stands in the footer.
std::string man_page(std::span<const Command> commands, std::string_view version);
// Of one of `commands`.
std::string man_page(const Command& command, std::string_view version);

}  // namespace edt
