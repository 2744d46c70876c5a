"""What a migration file may say."""
