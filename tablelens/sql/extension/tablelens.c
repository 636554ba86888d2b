/* The DuckDB extension: the functions that the macros of a catalogue snapshot look for, and those on cells.

   It is built against DuckDB's stable C extension API v1.2.0. Indexes are looked for below $TABLELENS_HOME, or the nearest
   `.tablelens` upward, as it was when the extension was loaded; SQL names them by number and gives no paths. */
#include "sql.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

char home[4096];
locale_t plain;
int64_t threads = 1;

static void find_home(void) {
	const char *named = getenv("TABLELENS_HOME");
	if (named && *named) {
		snprintf(home, sizeof(home), "%s", named);
		return;
	}
	char here[3072];
	if (!getcwd(here, sizeof(here))) {
		return;
	}
	for (char *slash; (slash = strrchr(here, '/')); *slash = 0) {
		snprintf(home, sizeof(home), "%s/.tablelens", here);
		if (!access(home, F_OK)) {
			return;
		}
	}
	snprintf(home, sizeof(home), ".tablelens");
}

/* registration ------------------------------------------------------------------------------------------------- */

/* Makes a type of a letter: T text, W whole number, I integer, D double; with t, w, d a list of it. */
static duckdb_logical_type type_of(char letter) {
	duckdb_type plain = letter == 'T' || letter == 't'   ? DUCKDB_TYPE_VARCHAR
	                    : letter == 'W' || letter == 'w' ? DUCKDB_TYPE_BIGINT
	                    : letter == 'I'                  ? DUCKDB_TYPE_INTEGER
	                                                     : DUCKDB_TYPE_DOUBLE;
	duckdb_logical_type type = duckdb_create_logical_type(plain);
	if (letter < 'a') {
		return type;
	}
	duckdb_logical_type list = duckdb_create_list_type(type);
	duckdb_destroy_logical_type(&type);
	return list;
}

static duckdb_logical_type answer_type(void) {
	duckdb_logical_type fields[HIT_FIELDS];
	for (int f = 0; f < HIT_FIELDS; f++) {
		fields[f] = type_of(HIT_TYPES[f]);
	}
	duckdb_logical_type hit = duckdb_create_struct_type(fields, (const char **)HIT_NAMES, HIT_FIELDS);
	duckdb_logical_type both[2] = {duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR), duckdb_create_list_type(hit)};
	const char *names[2] = {"error", "hits"};
	duckdb_logical_type type = duckdb_create_struct_type(both, names, 2);
	for (int f = 0; f < HIT_FIELDS; f++) {
		duckdb_destroy_logical_type(&fields[f]);
	}
	duckdb_destroy_logical_type(&hit);
	duckdb_destroy_logical_type(&both[0]);
	duckdb_destroy_logical_type(&both[1]);
	return type;
}

static bool add(duckdb_connection connection, const char *name, const char *arguments, duckdb_logical_type returns, duckdb_scalar_function_t run) {
	duckdb_scalar_function function = duckdb_create_scalar_function();
	duckdb_scalar_function_set_name(function, name);
	for (const char *letter = arguments; *letter; letter++) {
		duckdb_logical_type type = type_of(*letter);
		duckdb_scalar_function_add_parameter(function, type);
		duckdb_destroy_logical_type(&type);
	}
	duckdb_scalar_function_set_return_type(function, returns);
	duckdb_scalar_function_set_special_handling(function); /* NULL says that a request leaves something open */
	duckdb_scalar_function_set_function(function, run);
	bool fine = duckdb_register_scalar_function(connection, function) == DuckDBSuccess;
	duckdb_destroy_scalar_function(&function);
	duckdb_destroy_logical_type(&returns);
	return fine;
}

/* How many threads DuckDB was told to use; 1 where it does not say. */
static int64_t count_threads(duckdb_connection connection) {
	duckdb_result result;
	int64_t found = 1;
	if (duckdb_query(connection, "SELECT current_setting('threads')::BIGINT", &result) == DuckDBSuccess) {
		duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
		if (chunk && duckdb_data_chunk_get_size(chunk) == 1) {
			found = *(int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
		}
		duckdb_destroy_data_chunk(&chunk);
	}
	duckdb_destroy_result(&result);
	return found;
}

DUCKDB_EXTENSION_ENTRYPOINT(duckdb_connection connection, duckdb_extension_info info, struct duckdb_extension_access *access) {
	find_home();
	plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	threads = count_threads(connection);
	bool fine = add(connection, "tablelens_hits", "TTtTTTITTTTIDD", answer_type(), answer_hits);
	fine = fine && add(connection, "tablelens_normalize", "T", type_of('T'), normalized);
	fine = fine && add(connection, "tablelens_containment", "tt", type_of('D'), containment);
	fine = fine && add(connection, "tablelens_jaccard", "tt", type_of('D'), jaccard);
	if (!fine) {
		access->set_error(info, "tablelens: its functions are there already; use the extension or Python, each on its own connection");
	}
	return fine;
}
