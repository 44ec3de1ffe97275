/* state_db */
