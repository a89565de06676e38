"""What a file tells of itself beside what it shows: compression, resizing, claims, evidence."""
