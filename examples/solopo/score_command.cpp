#include "score_command.hpp"
